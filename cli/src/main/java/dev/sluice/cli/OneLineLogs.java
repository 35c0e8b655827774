package dev.sluice.cli;

import java.text.MessageFormat;
import java.util.ResourceBundle;

/**
 * Where the messages of the library and the relay go: one line each to stderr. The JDK's own loggers write two, with a
 * date, for which they open a file at the first message; and the first message may well be that no descriptor is left.
 */
public final class OneLineLogs extends System.LoggerFinder {
    /** Made by the service loader. */
    public OneLineLogs() {}

    @Override
    public System.Logger getLogger(String name, Module module) {
        return new OneLine(name);
    }

    private record OneLine(String name) implements System.Logger {
        @Override
        public String getName() {
            return name;
        }

        @Override
        public boolean isLoggable(Level level) {
            return level.getSeverity() >= Level.INFO.getSeverity();
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
            if (isLoggable(level)) {
                Console.say(thrown == null ? message : message + ": " + Trouble.oneLine(thrown.toString()));
            }
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
            if (isLoggable(level)) {
                Console.say(parameters == null ? format : MessageFormat.format(format, parameters));
            }
        }
    }
}
