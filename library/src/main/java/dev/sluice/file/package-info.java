/** Files that transfers reach by their descriptor. */
package dev.sluice.file;
