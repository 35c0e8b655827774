/** Zero-copy I/O for Java on Linux. */
module dev.sluice {
    exports dev.sluice;
    exports dev.sluice.file;
    exports dev.sluice.io;
    exports dev.sluice.loop;
    exports dev.sluice.net;
    exports dev.sluice.pipe;
}
