/** The non-blocking heart: event loops and the pumps that they step. */
package dev.sluice.loop;
