/** The relay: many connections at once from a listener to its targets. */
package dev.sluice.relay;
