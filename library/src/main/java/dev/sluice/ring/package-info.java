/** io_uring: a ring of one owner, and one that any thread may use. */
package dev.sluice.ring;
