/** Zero-copy sends: every buffer has an owner, every send has a stage. */
package dev.sluice.send;
