package dev.sluice.cli;

import dev.sluice.Sluice;
import dev.sluice.io.Capabilities;
import dev.sluice.io.Capabilities.Finding;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What works here. */
@Command(
        name = "doctor",
        description = {
            "Show what works here.",
            "What this kernel, JVM and configuration can do, and what would bring back what is missing."
        })
final class DoctorCommand implements Callable<Integer> {
    @Option(names = "--json", description = "Print one JSON object on stdout.")
    private boolean json;

    @Override
    public Integer call() {
        Capabilities capabilities = Sluice.capabilities();
        if (json) {
            Console.print(toJson(capabilities));
        } else {
            print(capabilities);
        }
        return 0;
    }

    private static void print(Capabilities capabilities) {
        Console.print(kernel() + ", Java " + Runtime.version());
        Console.print("");
        Table table = new Table();
        for (Finding finding : capabilities.findings()) {
            table.row(finding.available() ? "yes" : "NO", finding.name(), finding.detail());
            if (!finding.remedy().isEmpty()) {
                table.row("", "", "to bring it back: " + finding.remedy());
            }
        }
        table.print();
    }

    private static String kernel() {
        return System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch");
    }

    private static String toJson(Capabilities capabilities) {
        return Json.object(json -> {
            json.writeStringField("kernel", kernel());
            json.writeStringField("java", Runtime.version().toString());
            json.writeArrayFieldStart("findings");
            for (Finding finding : capabilities.findings()) {
                json.writeStartObject();
                json.writeStringField("name", finding.name());
                json.writeBooleanField("available", finding.available());
                json.writeStringField("detail", finding.detail());
                json.writeStringField("remedy", finding.remedy());
                json.writeEndObject();
            }
            json.writeEndArray();
        });
    }
}
