/** The peers of the demonstration and of the comparison: a camera and a viewer, in a JVM of their own. */
package dev.sluice.cli.demo;
