package dev.sluice.bench;

import dev.sluice.bench.Rounds.Spread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A bar per contender as long as its median, with a whisker from quartile to quartile; an SVG file. */
final class Plot {
    private static final int LABELS = 250;
    private static final int BARS = 400;
    private static final int VALUES = 70;
    private static final int TOP = 40;
    private static final int ROW = 28;
    private static final int BAR = 18;

    private record Bar(String name, Spread spread) {}

    private final String title;
    private final List<Bar> bars = new ArrayList<>();

    Plot(String title) {
        this.title = title;
    }

    void bar(String name, Spread spread) {
        bars.add(new Bar(name, spread));
    }

    /** Writes it, unless no directory is given. */
    void write(Path directory, String name) throws IOException {
        if (directory != null) {
            Files.createDirectories(directory);
            Files.writeString(directory.resolve(name + ".svg"), svg());
        }
    }

    private String svg() {
        int width = LABELS + BARS + VALUES;
        int height = TOP + ROW * bars.size() + 10;
        double longest =
                bars.stream().mapToDouble(bar -> bar.spread.high()).max().orElse(1);
        StringBuilder svg = new StringBuilder(String.format(Locale.ROOT, """
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">
                <rect width="100%%" height="100%%" fill="#ffffff"/>
                <text x="10" y="22" font-size="15" fill="#202020">%s</text>
                """, width, height, escape(title)));
        for (int i = 0; i < bars.size(); i++) {
            append(svg, bars.get(i), TOP + i * ROW, BARS / (longest > 0 ? longest : 1));
        }
        return svg.append("</svg>\n").toString();
    }

    private static void append(StringBuilder svg, Bar bar, int y, double scale) {
        double length = bar.spread.median() * scale;
        double low = LABELS + bar.spread.low() * scale;
        double high = LABELS + bar.spread.high() * scale;
        double middle = y + BAR / 2.0;
        svg.append(String.format(
                Locale.ROOT,
                """
                <text x="%d" y="%.0f" text-anchor="end" fill="#202020">%s</text>
                <rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>
                <path d="M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8" stroke="#202020" fill="none"/>
                <text x="%.1f" y="%.0f" fill="#202020">%s</text>
                """,
                LABELS - 8,
                middle + 5,
                escape(bar.name),
                LABELS,
                y,
                length,
                BAR,
                bar.name.startsWith("Sluice") ? "#2a7ab9" : "#b8c4cc",
                low,
                middle,
                high,
                low,
                middle - 4,
                high,
                middle - 4,
                Math.max(LABELS + length, high) + 6,
                middle + 5,
                Spread.figure(bar.spread.median())));
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;");
    }
}
