package dev.sluice.internal.fd;

/** Somebody who is told, from any thread and without blocking it, that trying again may now succeed. */
public interface Waiter {
    void ready();
}
