package dev.sluice.internal.fd;

import dev.sluice.internal.fd.Adoption.Refusal;
import java.io.IOException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the descriptor of any JDK channel by public means alone, though not unnoticed by who reads it: the channel has to
 * be non-blocking for a moment. It is registered with a selector of ours, and
 * /proc/self/fdinfo of the selector's epoll instance names what was added (proc_pid_fdinfo(5)).
 *
 * <p>While it is registered, a channel is not really closed, so the number can't be reused before it is duplicated.
 */
final class DescriptorFinder {
    private static DescriptorFinder instance;

    /** Why no descriptor can be found in this way, or null. */
    private static volatile String impossible;

    private final Selector selector;
    private final Path fdinfo;
    private final Map<Integer, Long> baseline;

    private DescriptorFinder(Selector selector, Path fdinfo, Map<Integer, Long> baseline) {
        this.selector = selector;
        this.fdinfo = fdinfo;
        this.baseline = baseline;
    }

    /**
     * A duplicate, close-on-exec, of the descriptor of a channel in non-blocking mode.
     *
     * @param blocking whether to put it into blocking mode as soon as possible, since others may read it
     */
    static synchronized int duplicate(SelectableChannel channel, boolean blocking) throws IOException, Refusal {
        if (impossible != null) {
            throw new Refusal(impossible);
        }
        if (instance == null) {
            try {
                instance = open();
            } catch (Refusal e) {
                impossible = e.getMessage();
                throw e;
            }
        }
        return instance.find(channel, blocking);
    }

    /** Logs once why no channel's descriptor can be found, if that is so; not while somebody waits for us with patience. */
    static void explain() {
        String why = impossible;
        if (why != null) {
            Shortfall.ADOPTION.tell(
                    () -> "transfers of the JDK's pipes copy, and those of its sockets among many descriptors,"
                            + " since each is " + why
                            + "; mount /proc, and let the process read its own /proc/self/fdinfo, or use StreamSocket");
        }
    }

    private int find(SelectableChannel channel, boolean blocking) throws IOException, Refusal {
        SelectionKey key = channel.register(selector, channel.validOps() & ~SelectionKey.OP_CONNECT);
        try {
            try {
                selector.selectNow();
            } finally {
                // Out of the epoll instance, and free to be closed, it only is after the next selection.
                key.cancel();
            }
            if (blocking) {
                channel.configureBlocking(true);
            }
            return duplicateWatched(channel);
        } finally {
            selector.selectNow();
        }
    }

    /** Duplicates the one descriptor that the epoll instance watches beyond its own. */
    private int duplicateWatched(SelectableChannel channel) throws IOException, Refusal {
        Map<Integer, Long> watched = watched(fdinfo);
        watched.keySet().removeAll(baseline.keySet());
        if (watched.size() != 1) {
            throw new Refusal("a JDK channel whose descriptor could not be told: epoll watches " + watched.size());
        }
        Map.Entry<Integer, Long> found = watched.entrySet().iterator().next();
        int number = found.getKey();
        int duplicate = dev.sluice.internal.linux.Files.duplicate(number);
        if (duplicate < 0) {
            throw Descriptor.failure("fcntl F_DUPFD_CLOEXEC", "descriptor " + number, duplicate);
        }
        var status = dev.sluice.internal.linux.Files.status(duplicate);
        if (status == null || status.inode() != found.getValue()) {
            dev.sluice.internal.linux.Files.close(duplicate);
            throw new Refusal("a JDK channel whose descriptor changed while it was looked for");
        }
        if (channel instanceof SocketChannel socket) {
            MarkedSocket.remember(socket, number);
        }
        return duplicate;
    }

    /** Which epoll instance belongs to our selector: the one that a marker channel appears in. */
    private static DescriptorFinder open() throws IOException, Refusal {
        Selector selector = Selector.open();
        try (DatagramChannel marker = DatagramChannel.open()) {
            marker.configureBlocking(false);
            Map<Path, Map<Integer, Long>> before = new HashMap<>();
            for (Path instance : epollInstances()) {
                before.put(instance, watched(instance));
            }
            SelectionKey key = marker.register(selector, SelectionKey.OP_READ);
            selector.selectNow();
            List<Path> grown = new ArrayList<>();
            for (Map.Entry<Path, Map<Integer, Long>> entry : before.entrySet()) {
                if (watched(entry.getKey()).size() == entry.getValue().size() + 1) {
                    grown.add(entry.getKey());
                }
            }
            key.cancel();
            selector.selectNow();
            grown.removeIf(path -> !shrunk(path, before.get(path)));
            if (grown.size() != 1) {
                throw new Refusal("a JDK channel, and /proc does not tell the descriptors of channels");
            }
            return new DescriptorFinder(selector, grown.getFirst(), before.get(grown.getFirst()));
        } catch (IOException | Refusal | RuntimeException e) {
            selector.close();
            throw e;
        }
    }

    private static boolean shrunk(Path fdinfo, Map<Integer, Long> before) {
        try {
            return watched(fdinfo).equals(before);
        } catch (IOException e) {
            return false;
        }
    }

    private static List<Path> epollInstances() throws IOException, Refusal {
        List<Path> instances = new ArrayList<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                try {
                    if (Files.readSymbolicLink(descriptor).toString().equals("anon_inode:[eventpoll]")) {
                        instances.add(Path.of("/proc/self/fdinfo").resolve(descriptor.getFileName()));
                    }
                } catch (IOException e) {
                    // Closed since it was listed.
                }
            }
        } catch (NoSuchFileException | AccessDeniedException e) {
            throw new Refusal("a JDK channel, and /proc/self/fd, which tells its descriptor, can't be read");
        }
        return instances;
    }

    /** Descriptors that the epoll instance watches, with their inodes. */
    private static Map<Integer, Long> watched(Path fdinfo) throws IOException {
        Map<Integer, Long> watched = new HashMap<>();
        for (String line : Files.readAllLines(fdinfo)) {
            // tfd:        8 events:       19 data:                8  pos:0 ino:61 sdev:8
            if (line.startsWith("tfd:")) {
                String[] words = line.substring(4).trim().split("[\\s:]+");
                watched.put(Integer.valueOf(words[0]), Long.parseLong(words[words.length - 3], 16));
            }
        }
        return watched;
    }
}
