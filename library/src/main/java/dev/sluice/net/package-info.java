/** Stream sockets over TCP and Unix, as channels that park instead of blocking. */
package dev.sluice.net;
