package dev.sluice.traps;

import dev.sluice.JoinResult;
import dev.sluice.MirrorFailure;
import dev.sluice.MirrorPolicy;
import dev.sluice.Pipeline;
import dev.sluice.SlowMirror;
import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.file.Recording;
import dev.sluice.internal.fd.PipePool;
import dev.sluice.io.Endpoint;
import dev.sluice.io.MirrorResult;
import dev.sluice.io.Route;
import dev.sluice.io.TransferException;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Bytes;
import dev.sluice.testkit.LeakCheck;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.CRC32;

/**
 * The main class of a child JVM that makes transfers between endpoints of the test's own process, so that a trace of it
 * shows the mover's system calls and nothing else. Prints what became of each.
 */
final class Mover implements AutoCloseable {
    /** The exit code after a failure that the transfer named. */
    static final int FAILED = 3;

    private final List<Channel> all = new ArrayList<>();

    private final List<ByteChannel> join = new ArrayList<>();
    private final List<Mirrored> mirrors = new ArrayList<>();
    private ByteChannel source;
    private ByteChannel sink;
    private Route route;
    private MirrorFailure onFailure = MirrorFailure.FAIL;
    private Duration patience = Duration.ZERO;
    private ByteBuffer prefix = ByteBuffer.allocate(0);
    private long limit = Long.MAX_VALUE;
    private long rate = Long.MAX_VALUE;
    private boolean jdk;

    private record Mirrored(WritableByteChannel channel, MirrorPolicy policy) {}

    private Mover() {}

    /**
     * Arguments: {@code source=X sink=X policy=P patience=MILLIS mirror=X tape=PATH ... route=R prefix=BYTES limit=N rate=N}
     * or {@code join=X join=X}; X is an address or path, and {@code jdk=true} before it makes it a channel of the JDK.
     * Without arguments, a line of them at a time comes from the standard input.
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            lines();
            return;
        }
        try (Mover mover = new Mover()) {
            mover.open(arguments);
            String outcome = mover.move();
            System.out.println(outcome);
            if (outcome.startsWith("failed")) {
                System.exit(FAILED);
            }
        }
    }

    /** Answers each line by "opened" or "refused", and then by what became of the transfer. Last come the leaks. */
    private static void lines() throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        // What the JDK opens for its first channel, and keeps.
        SocketChannel.open().close();
        Set<String> before = left();
        String line;
        while ((line = in.readLine()) != null) {
            String answer;
            try (Mover mover = new Mover()) {
                mover.open(line.split(" "));
                System.out.println("opened");
                answer = mover.move();
            } catch (IOException e) {
                answer = "refused " + e;
            }
            System.out.println(answer);
        }
        PipePool.shared().trim();
        Set<String> left = left();
        left.removeAll(before);
        System.out.println("lent=" + PipePool.shared().lent() + " left=" + left);
    }

    private static Set<String> left() {
        return LeakCheck.descriptors().keySet().stream()
                .filter(name -> name.matches("\\d+ (socket|pipe):.*"))
                .collect(Collectors.toSet());
    }

    private void open(String... arguments) throws IOException {
        for (String argument : arguments) {
            String value = argument.substring(argument.indexOf('=') + 1);
            switch (argument.substring(0, argument.indexOf('='))) {
                case "join" -> join.add(open(value, false));
                case "source" -> source = open(value, true);
                case "sink" -> sink = open(value, false);
                case "mirror" -> mirrors.add(new Mirrored(open(value, false), policy()));
                case "tape" -> mirrors.add(new Mirrored(tape(Path.of(value)), MirrorPolicy.gaps(Duration.ofMillis(1))));
                case "route" -> route = Route.valueOf(value);
                case "policy" -> onFailure = MirrorFailure.valueOf(value);
                case "patience" -> patience = Duration.ofMillis(Long.parseLong(value));
                case "prefix" -> prefix = ByteBuffer.wrap(prefix(Integer.parseInt(value)));
                case "limit" -> limit = Long.parseLong(value);
                case "rate" -> rate = Long.parseLong(value);
                case "jdk" -> jdk = Boolean.parseBoolean(value);
                default -> throw new IllegalArgumentException(argument);
            }
        }
    }

    /** The bytes that {@code prefix=length} stands for. */
    static byte[] prefix(int length) {
        return Bytes.random(length, length);
    }

    private ByteChannel open(String where, boolean read) throws IOException {
        ByteChannel channel;
        if (where.matches("(tcp|unix|fd):.*")) {
            channel = jdk
                    ? SocketChannel.open(address(Endpoint.parse(where)))
                    : StreamSocket.connect(Endpoint.parse(where));
        } else {
            channel = read
                    ? KernelFile.open(Path.of(where))
                    : KernelFile.open(Path.of(where), StandardOpenOption.WRITE, StandardOpenOption.CREATE);
        }
        all.add(channel);
        return channel;
    }

    private MirrorPolicy policy() {
        return new MirrorPolicy(onFailure, patience.isZero() ? SlowMirror.BLOCK : SlowMirror.DETACH, patience);
    }

    private Recording tape(Path path) throws IOException {
        Recording recording =
                Recording.open(path.getParent(), path.getFileName().toString(), Recording.Rotation.bytes(100_000));
        all.add(recording);
        return recording;
    }

    private static SocketAddress address(Endpoint endpoint) {
        return switch (endpoint) {
            case Endpoint.Tcp tcp -> new InetSocketAddress(tcp.host(), tcp.port());
            case Endpoint.Unix unix -> UnixDomainSocketAddress.of(unix.path());
            default -> throw new IllegalArgumentException("the JDK has no " + endpoint);
        };
    }

    private String move() throws IOException {
        if (!join.isEmpty()) {
            JoinResult result = route == null
                    ? Sluice.join(join.get(0), join.get(1))
                    : Sluice.join(join.get(0), join.get(1), route);
            return "joined " + direction(result.forward()) + " and " + direction(result.backward());
        }
        Pipeline pipeline = Pipeline.from(source).limit(limit).prefix(prefix);
        for (Mirrored mirror : mirrors) {
            pipeline.mirror(mirror.channel, mirror.policy);
        }
        if (rate != Long.MAX_VALUE) {
            pipeline.rate(rate);
        }
        try {
            return moved((route == null ? pipeline : pipeline.route(route)).to(sink));
        } catch (TransferException e) {
            return failed(e);
        }
    }

    private static String direction(JoinResult.Direction direction) {
        return direction.failure().map(Mover::failed).orElseGet(() -> moved(direction.result()));
    }

    private static String moved(TransferResult result) {
        return "moved accepted=" + result.bytes() + mirrors(result) + " " + result;
    }

    private static String failed(TransferException e) {
        CRC32 checksum = new CRC32();
        checksum.update(e.residue());
        return "failed " + e.side() + " " + e.call().replace(' ', '_') + " accepted=" + e.accepted() + " residue="
                + e.residue().remaining() + " crc=" + checksum.getValue() + mirrors(e.partial()) + " " + e.getMessage();
    }

    private static String mirrors(TransferResult result) {
        StringBuilder text = new StringBuilder();
        for (MirrorResult mirror : result.mirrors()) {
            text.append(mirror.failure().isPresent() ? " detached=" : " mirror=")
                    .append(mirror.bytes());
        }
        return text.toString();
    }

    @Override
    public void close() {
        for (Channel channel : all) {
            try {
                channel.close();
            } catch (IOException e) {
                // What was to be said of the transfer has been said.
            }
        }
    }
}
