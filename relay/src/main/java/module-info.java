/** The relay engine: forwards connections through the kernel, embeddable. */
module dev.sluice.relay {
    requires transitive dev.sluice;

    exports dev.sluice.relay;
}
