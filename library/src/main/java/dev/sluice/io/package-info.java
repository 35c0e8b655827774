/** The words that every room speaks: routes, results, addresses, exceptions. No behaviour. */
package dev.sluice.io;
