/** Zero-copy I/O for Java on Linux. */
@SuppressWarnings("module") // The relay and the command line are built after the library.
module dev.sluice {
    requires static jdk.jfr; // Events are recorded where the runtime has it.

    exports dev.sluice;
    exports dev.sluice.file;
    exports dev.sluice.io;
    exports dev.sluice.loop;
    exports dev.sluice.net;
    exports dev.sluice.pipe;
    exports dev.sluice.send;
    exports dev.sluice.ring;
    exports dev.sluice.internal.fd to
            dev.sluice.relay;
    exports dev.sluice.internal.linux to
            dev.sluice.relay,
            dev.sluice.cli;
}
