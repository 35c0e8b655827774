/** The {@code sluice} command line. */
@SuppressWarnings("requires-automatic") // TOMLJ and Prometheus name their modules, but do not describe them.
module dev.sluice.cli {
    requires com.fasterxml.jackson.core;
    requires dev.sluice.relay;
    requires info.picocli;
    requires io.prometheus.metrics.config;
    requires io.prometheus.metrics.model;
    requires io.prometheus.writer.text;
    requires jdk.httpserver;
    requires org.tomlj;
    requires jdk.unsupported; // sun.misc.Signal: drain on SIGTERM and SIGINT, reload on SIGHUP

    // picocli sets the fields of commands by reflection.
    opens dev.sluice.cli to
            info.picocli;

    provides System.LoggerFinder with
            dev.sluice.cli.OneLineLogs;
}
