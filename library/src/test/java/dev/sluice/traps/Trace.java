package dev.sluice.traps;

import dev.sluice.testkit.Child;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/** A log of {@code strace -f -y -Y}, one finished call after the other. */
record Trace(List<Call> calls) {

    /**
     * One call.
     *
     * @param thread the name of the thread
     * @param name of the system call
     * @param arguments as they were printed, descriptors with what they stand for
     * @param result a number, −1 for a failure
     * @param outcome as it was printed, with the errno's name
     */
    record Call(String thread, String name, List<String> arguments, long result, String outcome) {
        /** The number of the descriptor that is the argument. */
        int fd(int index) {
            String argument = arguments.get(index);
            int end = argument.indexOf('<');
            return Integer.parseInt(end < 0 ? argument : argument.substring(0, end));
        }

        boolean onSocket(int index) {
            return arguments.get(index).contains("<TCP:")
                    || arguments.get(index).contains("<socket:");
        }
    }

    private static final Pattern LINE = Pattern.compile("^(\\d+)(?:<(.*?)>)? +(.*)$");
    private static final Pattern CALL = Pattern.compile("^(\\w+)\\((.*)\\) += (-?\\d+|\\?)(.*)$");

    static void assumePossible() {
        Assumptions.assumeTrue(
                Child.has("strace", "-f", "-qq", "-e", "trace=none", "true"), "strace is missing or may not trace");
    }

    /** A prefix for the command line of a child. {@code more} are further options, such as {@code -e inject=...}. */
    static List<String> prefix(Path log, String calls, String... more) {
        List<String> prefix = new ArrayList<>(List.of("strace", "-f", "--seccomp-bpf", "-qq", "-yy", "-Y"));
        prefix.addAll(List.of("-e", "signal=none", "-e", "trace=" + calls, "-o", log.toString()));
        prefix.addAll(List.of(more));
        return prefix;
    }

    static Trace read(Path log) throws IOException {
        List<Call> calls = new ArrayList<>();
        Map<String, String> unfinished = new HashMap<>();
        for (String line : Files.readAllLines(log, java.nio.charset.StandardCharsets.ISO_8859_1)) {
            Matcher matcher = LINE.matcher(line);
            if (!matcher.matches()) {
                continue;
            }
            String text = matcher.group(3);
            if (text.endsWith(" <unfinished ...>")) {
                unfinished.put(matcher.group(1), text.substring(0, text.length() - " <unfinished ...>".length()));
                continue;
            }
            if (text.startsWith("<... ")) {
                String begin = unfinished.remove(matcher.group(1));
                text = begin == null ? "" : begin + text.substring(text.indexOf(" resumed>") + " resumed>".length());
            }
            Matcher call = CALL.matcher(text);
            if (call.matches()) {
                long result = call.group(3).equals("?") ? -1 : Long.parseLong(call.group(3));
                calls.add(new Call(
                        String.valueOf(matcher.group(2)),
                        call.group(1),
                        split(call.group(2)),
                        result,
                        call.group(3) + call.group(4)));
            }
        }
        return new Trace(calls);
    }

    /** At the commas that are outside of brackets, of descriptors' descriptions and of strings. */
    private static List<String> split(String arguments) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        boolean quoted = false;
        int start = 0;
        for (int i = 0; i < arguments.length(); i++) {
            char c = arguments.charAt(i);
            if (c == '"' && (i == 0 || arguments.charAt(i - 1) != '\\')) {
                quoted = !quoted;
            } else if (!quoted && (c == '[' || c == '{' || c == '<')) {
                depth++;
            } else if (!quoted && (c == ']' || c == '}' || c == '>' && arguments.charAt(i - 1) != '-')) {
                depth--;
            } else if (!quoted && depth == 0 && c == ',') {
                parts.add(arguments.substring(start, i).strip());
                start = i + 1;
            }
        }
        parts.add(arguments.substring(start).strip());
        return parts;
    }

    /** The calls of this name that succeeded. */
    List<Call> named(String name) {
        return calls.stream()
                .filter(call -> call.name().equals(name) && call.result() >= 0)
                .toList();
    }
}
