package dev.sluice.cli;

import dev.sluice.io.SluiceException;
import dev.sluice.io.TransferException;
import java.io.IOException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.List;

/** Exceptions in one line: what failed, on which address or file, why, and what to do about it. */
final class Trouble {
    private Trouble() {}

    /** One line, but for a configuration: one per problem. */
    static List<String> lines(Throwable e) {
        return e instanceof BadConfiguration bad ? bad.problems() : List.of(describe(e));
    }

    static String describe(Throwable e) {
        return oneLine(
                switch (e) {
                    case Failure failure -> failure.getMessage();
                    case BadConfiguration bad -> bad.getMessage();
                    case TransferException failure
                    when failure.unacknowledged() > 0 ->
                        failure.getMessage() + ", " + failure.unacknowledged()
                                + " of the accepted bytes were not acknowledged";
                    case SluiceException failure -> failure.getMessage();
                    case NoSuchFileException missing ->
                        missing.getFile() + ": open: ENOENT; no such file or directory; check the path";
                    case AccessDeniedException denied ->
                        denied.getFile() + ": open: EACCES; no permission; check the owner and the mode";
                    case FileAlreadyExistsException there ->
                        there.getFile() + ": open: EEXIST; choose another name, or move what is there";
                    case FileSystemException file ->
                        file.getFile() + ": "
                                + (file.getReason() == null ? "the file system failed" : file.getReason());
                    case UnresolvedAddressException _ -> "no address is known for that host";
                    case UnsupportedOperationException missing ->
                        missing.getMessage() + "; 'sluice doctor' says what would bring it back";
                    case IOException io when io.getMessage() != null -> io.getMessage();
                    default -> e.toString();
                });
    }

    static String oneLine(String message) {
        return message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    static int exitCode(Throwable e) {
        return switch (e) {
            case Failure failure -> failure.exitCode();
            case BadConfiguration _, UnsupportedOperationException _ -> Failure.CONFIGURATION;
            default -> Failure.FAILED;
        };
    }
}
