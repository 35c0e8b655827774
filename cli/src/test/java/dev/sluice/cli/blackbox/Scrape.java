package dev.sluice.cli.blackbox;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a relay tells Prometheus: each series with its value, read strictly. Keys have their labels in order. */
record Scrape(String type, Map<String, Double> values) {
    private static final String NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
    private static final String LABEL = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\n]|\\\\[\\\\\"n])*\"";
    private static final Pattern SAMPLE = Pattern.compile(
            "(" + NAME + ")((?:\\{" + LABEL + "(?:," + LABEL + ")*})?) (-?[0-9.]+(?:E-?[0-9]+)?|NaN|[+-]Inf)");
    private static final Pattern META = Pattern.compile("# (HELP|TYPE) (" + NAME + ") (.+)");

    /** Where the relay says that it has its metrics. */
    static String address(RelayProcess relay) throws Exception {
        relay.awaitErr("metrics on tcp:127.0.0.1:");
        Matcher address =
                Pattern.compile("metrics on tcp:(127\\.0\\.0\\.1:\\d+)\n").matcher(relay.err());
        if (!address.find()) {
            throw new AssertionError(relay.err());
        }
        return address.group(1);
    }

    static HttpResponse<String> get(String address, String path, String accept) throws Exception {
        try (HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(30))
                .build()) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + address + path))
                    .timeout(Duration.ofSeconds(30))
                    .header("Accept", accept)
                    .build();
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        }
    }

    static Scrape of(String address) throws Exception {
        return of(get(address, "/metrics", "text/plain"));
    }

    static Scrape of(HttpResponse<String> response) {
        if (response.statusCode() != 200) {
            throw new AssertionError(response.statusCode() + ": " + response.body());
        }
        Map<String, Double> values = new TreeMap<>();
        Set<String> told = new HashSet<>();
        String family = "";
        for (String line : response.body().lines().toList()) {
            Matcher meta = META.matcher(line);
            Matcher sample = SAMPLE.matcher(line);
            if (meta.matches()) {
                if (!told.add(meta.group(1) + " " + meta.group(2))) {
                    throw new AssertionError("twice: " + line);
                }
                family = meta.group(2);
            } else if (sample.matches()) {
                if (!List.of(family, family + "_total").contains(sample.group(1))) {
                    throw new AssertionError("not of " + family + ": " + line);
                }
                Double value = Double.valueOf(sample.group(3).replace("Inf", "Infinity"));
                if (values.put(sample.group(1) + sample.group(2), value) != null) {
                    throw new AssertionError("twice: " + line);
                }
            } else if (!line.equals("# EOF")) {
                throw new AssertionError("not a line of the format: " + line);
            }
        }
        return new Scrape(response.headers().firstValue("Content-Type").orElse(""), values);
    }

    double value(String series) {
        Double value = values.get(series);
        if (value == null) {
            throw new AssertionError("no " + series + " in " + values.keySet());
        }
        return value;
    }
}
