package dev.sluice.cli.blackbox;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;

/** A test of the jar: runs once the jar is built, in a run of its own (see pom.xml). */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Tag("black-box")
@Timeout(value = 90, unit = TimeUnit.SECONDS)
@interface BlackBox {}
