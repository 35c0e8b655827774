/** Kernel pipes. */
package dev.sluice.pipe;
