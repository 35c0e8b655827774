/** The front door: transfers, pipelines and joins. */
package dev.sluice;
