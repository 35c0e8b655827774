package dev.sluice.io;

/** The way that the bytes of a transfer went. Which one is best is measured, not assumed. */
public enum Route {
    /** splice(2) through a kernel pipe: the payload never enters the process. */
    SPLICE,
    /** sendfile(2), from a file. */
    SENDFILE,
    /** copy_file_range(2), between files; the file system may share the blocks. */
    COPY_FILE_RANGE,
    /** Read into a buffer of the process and written from it. Works for every pair of channels. */
    COPY
}
