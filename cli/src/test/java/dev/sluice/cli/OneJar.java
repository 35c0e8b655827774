package dev.sluice.cli;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** All classes of the class path in one jar, as the build ships them. */
final class OneJar {
    private OneJar() {}

    static Path ofClassPath(Path jar) throws IOException {
        Set<String> seen = new HashSet<>();
        try (OutputStream file = Files.newOutputStream(jar);
                ZipOutputStream out = new ZipOutputStream(file)) {
            for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
                Path path = Path.of(entry);
                if (Files.isDirectory(path)) {
                    copy(path, out, seen);
                } else if (entry.contains("sluice") || entry.contains("picocli") || entry.contains("jackson-core")) {
                    try (FileSystem zip = FileSystems.newFileSystem(path)) {
                        copy(zip.getPath("/"), out, seen);
                    }
                }
            }
        }
        return jar;
    }

    private static void copy(Path root, ZipOutputStream out, Set<String> seen) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                String name = root.relativize(file).toString();
                if ((name.endsWith(".class") || name.startsWith("META-INF/services/")) && seen.add(name)) {
                    out.putNextEntry(new ZipEntry(name));
                    Files.copy(file, out);
                }
            }
        }
    }
}
