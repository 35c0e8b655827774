/** The commands: arguments in, reports and exit codes out. What they do is done by the library and the relay. */
package dev.sluice.cli;
