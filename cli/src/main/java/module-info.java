/** The {@code sluice} command line. */
module dev.sluice.cli {
    requires com.fasterxml.jackson.core;
    requires dev.sluice.relay;
    requires info.picocli;
    requires jdk.unsupported; // sun.misc.Signal: drain on SIGTERM and SIGINT

    // picocli sets the fields of commands by reflection.
    opens dev.sluice.cli to
            info.picocli;

    provides System.LoggerFinder with
            dev.sluice.cli.OneLineLogs;
}
