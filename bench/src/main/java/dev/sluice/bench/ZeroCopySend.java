package dev.sluice.bench;

import com.sun.management.ThreadMXBean;
import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamSocket;
import dev.sluice.ring.Completion;
import dev.sluice.ring.Ring;
import dev.sluice.ring.SharedRing;
import dev.sluice.send.BufferLease;
import dev.sluice.send.BufferPool;
import dev.sluice.send.SendReceipt;
import dev.sluice.send.Stage;
import dev.sluice.send.ZeroCopySender;
import dev.sluice.send.ZeroCopySender.Policy;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.IntFunction;

/**
 * Zero-copy sends against plain ones. Over loopback, where the kernel always copies, to see that the policy costs nothing;
 * over a device of a network namespace of its own that takes packets as they are (ifb), to see what it brings;
 * pipelined against waiting for every completion; ways to hold little memory in the kernel; and crowds that wait. Prints tables in Markdown. Parts: {@code --only part=loopback}, and so on.
 */
public final class ZeroCopySend {
    private static final String SINK =
            "ip link add sink0 type ifb && ip link set sink0 mtu 65535 up && ip addr add 10.9.9.1/24 dev sink0";

    private static final Duration LONG = Duration.ofSeconds(60);
    private static final int DATAGRAM = 65_000;

    /** More than the caches hold. */
    private static final int COLD = 4096;

    /** One run of a contender. */
    private record Run(double bytesPerSecond, double cpuPerByte) {}

    private interface Contender {
        void send(long bytes) throws Exception;
    }

    private ZeroCopySend() {}

    public static void main(String[] args) throws Exception {
        if (args.length > 0 && args[0].equals("in-namespace")) {
            inNamespace(Options.parse(List.of(args).subList(1, args.length).toArray(String[]::new), 15, 256 << 20));
            return;
        }
        if (CubicNetwork.holds(ZeroCopySend.class, args)) {
            return;
        }
        Options options = Options.parse(args, 15, 256 << 20);
        if (options.wants("part", "loopback")) {
            loopback(options);
        }
        if (options.wants("part", "pipelined")) {
            pipelined(options);
        }
        if (options.wants("part", "alternative")) {
            alternative(options);
        }
        if (options.wants("part", "waiters")) {
            waiters(options);
        }
        List<String> command = new ArrayList<>(List.of("unshare", "-n", "sh", "-c", SINK + " && exec \"$@\"", "sh"));
        command.addAll(Party.javaCommand(System.getProperty("java.class.path"), ZeroCopySend.class, "in-namespace"));
        command.addAll(List.of(args));
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            System.err.println("datagrams are left out: no network namespace of our own; run it as root");
        }
    }

    private static void inNamespace(Options options) throws Exception {
        if (options.wants("part", "datagrams")) {
            datagrams(options);
        }
        if (options.wants("part", "completions")) {
            completions(options);
        }
    }

    private interface Dialer {
        WritableByteChannel dial(InetSocketAddress address) throws IOException;
    }

    /** A connection under cubic whose far end is read by a thread, once it is told to. */
    private static final class Wire implements AutoCloseable {
        final WritableByteChannel near;
        private final SocketChannel far;
        private final Thread reader;
        private volatile long read;

        Wire(Dialer dialer) throws IOException {
            try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.INET)) {
                listener.bind(new InetSocketAddress("127.0.0.1", 0));
                near = dialer.dial((InetSocketAddress) listener.getLocalAddress());
                far = listener.accept();
            }
            reader = Thread.ofPlatform().daemon().unstarted(() -> {
                ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18);
                try {
                    int count;
                    while ((count = far.read(buffer.clear())) >= 0) {
                        read += count;
                    }
                } catch (IOException e) {
                    // The end.
                }
            });
        }

        /** From a channel of the JDK, and read. */
        static Wire open() throws IOException {
            return new Wire(Wire::dial).read();
        }

        static SocketChannel dial(InetSocketAddress address) throws IOException {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.INET);
            // Nagle would hold the last of a few small buffers back until the peer's delayed acknowledgement.
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.connect(address);
            return channel;
        }

        Wire read() {
            reader.start();
            return this;
        }

        /** Bytes that the kernel holds for sending, the column tx_queue of proc_net_tcp(5). */
        long queued() throws IOException {
            String port = String.format(":%04X ", ((InetSocketAddress) far.getRemoteAddress()).getPort());
            for (String line : Files.readAllLines(Path.of("/proc/net/tcp"))) {
                String[] words = line.strip().split(" +");
                if ((words[1] + " ").endsWith(port)) {
                    return Long.parseLong(words[4].substring(0, words[4].indexOf(':')), 16);
                }
            }
            throw new IOException("no socket" + port);
        }

        void awaitRead(long bytes) {
            while (read < bytes) {
                Thread.onSpinWait();
            }
        }

        @Override
        public void close() throws Exception {
            near.close();
            if (reader.getState() != Thread.State.NEW) {
                reader.join();
            }
            far.close();
        }
    }

    private static void loopback(Options options) throws Exception {
        System.out.printf("%n### Loopback TCP: the policy against plain sends%n%n");
        System.out.println(
                "| size | plain, MB/s | policy ÷ plain | always zero copy ÷ plain | CPU of policy ÷ plain |");
        System.out.println("|---:|---:|---|---|---|");
        for (int size = 1024; size <= 1 << 20; size *= 4) {
            try (Wire plain = Wire.open();
                    Wire adaptive = Wire.open();
                    Wire always = Wire.open();
                    BufferPool pool = BufferPool.open(size, Math.max(16, (1 << 20) / size))) {
                int length = size;
                ByteBuffer buffer = ByteBuffer.allocateDirect(size);
                ZeroCopySender byPolicy = ZeroCopySender.open(adaptive.near);
                ZeroCopySender byZeroCopy =
                        ZeroCopySender.over(always.near).policy(Policy.ALWAYS).open();
                long[] total = new long[3];
                Rounds<Run> rounds = play(
                        options,
                        bytes -> {
                            for (long sent = 0; sent < bytes; sent += length) {
                                plain.near.write(buffer.clear());
                            }
                            plain.awaitRead(total[0] += bytes);
                        },
                        bytes -> {
                            sendAll(byPolicy, pool, length, bytes);
                            adaptive.awaitRead(total[1] += bytes);
                        },
                        bytes -> {
                            sendAll(byZeroCopy, pool, length, bytes);
                            always.awaitRead(total[2] += bytes);
                        });
                System.out.printf(
                        Locale.ROOT,
                        "| %d KiB | %s | %s | %s | %s |%n",
                        size / 1024,
                        rounds.of(0, run -> run.bytesPerSecond() / 1e6),
                        rounds.ratio(1, 0, Run::bytesPerSecond),
                        rounds.ratio(2, 0, Run::bytesPerSecond),
                        rounds.ratio(1, 0, Run::cpuPerByte));
                byPolicy.close();
                byZeroCopy.close();
            }
        }
    }

    private static void sendAll(ZeroCopySender sender, BufferPool pool, int size, long bytes) throws Exception {
        for (long sent = 0; sent < bytes; sent += size) {
            sender.send(pool.lease().length(size));
        }
    }

    private static void pipelined(Options options) throws Exception {
        System.out.printf("%n### Loopback TCP, 32 KiB by zero copy: pipelined against waiting for each completion%n%n");
        System.out.println("| buffers | MB/s | ÷ waiting for each |");
        System.out.println("|---:|---|---|");
        int size = 32 * 1024;
        for (int buffers : new int[] {2, 4, 16, 64}) {
            try (Wire waits = Wire.open();
                    Wire flows = Wire.open();
                    BufferPool pool = BufferPool.open(size, buffers)) {
                ZeroCopySender waiting =
                        ZeroCopySender.over(waits.near).policy(Policy.ALWAYS).open();
                ZeroCopySender flowing =
                        ZeroCopySender.over(flows.near).policy(Policy.ALWAYS).open();
                Rounds<Run> rounds = play(
                        options,
                        bytes -> {
                            for (long sent = 0; sent < bytes; sent += size) {
                                waiting.sendUntilReleased(pool.lease().length(size), LONG);
                            }
                        },
                        bytes -> sendAll(flowing, pool, size, bytes));
                System.out.printf(
                        Locale.ROOT,
                        "| %d | %s | %s |%n",
                        buffers,
                        rounds.of(1, run -> run.bytesPerSecond() / 1e6),
                        rounds.ratio(1, 0, Run::bytesPerSecond));
                waiting.close();
                flowing.close();
            }
        }
    }

    /** Where memory is what matters: a small send buffer, or little that has not left, and plain sends. */
    private static void alternative(Options options) throws Exception {
        System.out.printf("%n### Loopback TCP, 64 KiB: little memory in the kernel, several ways%n%n");
        System.out.println("| way | in the kernel when the peer does not read, KiB | MB/s | ÷ plain | CPU ÷ plain |");
        System.out.println("|---|---:|---|---|---|");
        int size = 64 * 1024;
        Dialer stream = address -> StreamSocket.connect(Endpoint.parse("127.0.0.1:" + address.getPort()));
        Map<String, Dialer> ways = new LinkedHashMap<>();
        ways.put("plain", stream);
        ways.put("plain, SO_SNDBUF of 64 KiB", address -> ((StreamSocket) stream.dial(address)).sendBuffer(size));
        ways.put(
                "the same by a channel of the JDK",
                address -> Wire.dial(address).setOption(StandardSocketOptions.SO_SNDBUF, size));
        ways.put(
                "plain, TCP_NOTSENT_LOWAT of 16 KiB",
                address -> ((StreamSocket) stream.dial(address)).notSentLowAt(16 * 1024));
        ways.put(
                "plain, both",
                address ->
                        ((StreamSocket) stream.dial(address)).sendBuffer(size).notSentLowAt(16 * 1024));
        List<Wire> wires = new ArrayList<>();
        List<Contender> contenders = new ArrayList<>();
        List<Long> held = new ArrayList<>();
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        for (Dialer way : ways.values()) {
            held.add(heldFor(way, size));
            Wire wire = new Wire(way).read();
            wires.add(wire);
            contenders.add(bytes -> {
                for (long sent = 0; sent < bytes; sent += size) {
                    wire.near.write(buffer.clear());
                }
            });
        }
        held.add((long) size);
        ways.put("zero copy, waiting for each release", stream);
        try (Wire wire = new Wire(stream).read();
                BufferPool pool = BufferPool.open(size, 1);
                ZeroCopySender waiting =
                        ZeroCopySender.over(wire.near).policy(Policy.ALWAYS).open()) {
            contenders.add(bytes -> {
                for (long sent = 0; sent < bytes; sent += size) {
                    waiting.sendUntilReleased(pool.lease().length(size), LONG);
                }
            });
            Rounds<Run> rounds = play(options, contenders.toArray(Contender[]::new));
            int i = 0;
            for (String way : ways.keySet()) {
                System.out.printf(
                        Locale.ROOT,
                        "| %s | %d | %s | %s | %s |%n",
                        way,
                        held.get(i) / 1024,
                        rounds.of(i, run -> run.bytesPerSecond() / 1e6),
                        rounds.ratio(i, 0, Run::bytesPerSecond),
                        rounds.ratio(i, 0, Run::cpuPerByte));
                i++;
            }
        }
        for (Wire wire : wires) {
            wire.close();
        }
    }

    /** How many bytes the kernel takes for a peer that does not read, beyond what that one's kernel has. */
    private static long heldFor(Dialer way, int size) throws Exception {
        try (Wire wire = new Wire(way)) {
            Thread.startVirtualThread(() -> {
                ByteBuffer buffer = ByteBuffer.allocateDirect(size);
                try {
                    while (true) {
                        wire.near.write(buffer.clear());
                    }
                } catch (IOException e) {
                    // The end.
                }
            });
            Thread.sleep(500);
            return wire.queued();
        }
    }

    private interface Wait {
        void end() throws Exception;
    }

    /** What a crowd of virtual threads costs while it waits, and how long it takes to tell all of it. */
    private record Crowd(double heapPerWaiter, double platformThreads, double millis) {
        static Crowd of(int waiters, IntFunction<Wait> waits, Runnable release) throws Exception {
            long heap = heap();
            int platform = ManagementFactory.getThreadMXBean().getThreadCount();
            CountDownLatch told = new CountDownLatch(waiters);
            List<Thread> threads = new ArrayList<>(waiters);
            for (int i = 0; i < waiters; i++) {
                Wait wait = waits.apply(i);
                threads.add(Thread.startVirtualThread(() -> {
                    try {
                        wait.end();
                        told.countDown();
                    } catch (Exception e) {
                        e.printStackTrace();
                    }
                }));
            }
            for (Thread thread : threads) {
                while (thread.getState() != Thread.State.WAITING && thread.getState() != Thread.State.TIMED_WAITING) {
                    if (!thread.isAlive()) {
                        throw new IllegalStateException("somebody was told too early");
                    }
                    Thread.sleep(1);
                }
            }
            heap = heap() - heap;
            platform = ManagementFactory.getThreadMXBean().getThreadCount() - platform;
            long nanos = System.nanoTime();
            release.run();
            told.await();
            return new Crowd((double) heap / waiters, platform, (System.nanoTime() - nanos) / 1e6);
        }

        private static long heap() {
            System.gc();
            return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
        }
    }

    private static void waiters(Options options) throws Exception {
        System.out.printf("%n### 10,000 virtual threads that wait at once, over 20 sockets%n%n");
        System.out.println("| for | heap bytes of each | platform threads more | ms until all are told |");
        System.out.println("|---|---|---|---|");
        int sockets = 20;
        int crowd = 10_000;
        Rounds<Crowd> rounds = new Rounds<>();
        for (int round = -1; round < options.rounds(); round++) {
            CountDownLatch latch = new CountDownLatch(1);
            List<Crowd> runs = new ArrayList<>();
            runs.add(Crowd.of(crowd, i -> latch::await, latch::countDown));
            for (boolean leases : new boolean[] {false, true}) {
                List<Wire> wires = new ArrayList<>();
                List<ZeroCopySender> senders = new ArrayList<>();
                List<SendReceipt> receipts = new ArrayList<>();
                // More than a peer takes that does not read.
                try (BufferPool pool = BufferPool.open(4 << 20, sockets)) {
                    for (int i = 0; i < sockets; i++) {
                        Wire wire = new Wire(address ->
                                Wire.dial(address).setOption(StandardSocketOptions.SO_SNDBUF, 2 * pool.bufferSize()));
                        ZeroCopySender sender = ZeroCopySender.over(wire.near)
                                .policy(Policy.ALWAYS)
                                .open();
                        wires.add(wire);
                        senders.add(sender);
                        receipts.add(sender.send(pool.lease().length(pool.bufferSize())));
                    }
                    runs.add(Crowd.of(
                            crowd,
                            i -> leases
                                    ? () -> pool.lease().close()
                                    : () -> receipts.get(i % sockets).awaitReleased(LONG),
                            () -> wires.forEach(Wire::read)));
                    for (ZeroCopySender sender : senders) {
                        sender.close();
                    }
                    for (Wire wire : wires) {
                        wire.close();
                    }
                }
            }
            if (round >= 0) {
                rounds.add(runs);
            }
        }
        String[] names = {"a latch, nothing of ours", "a release", "a free buffer"};
        for (int i = 0; i < names.length; i++) {
            System.out.printf(
                    Locale.ROOT,
                    "| %s | %s | %s | %s |%n",
                    names[i],
                    rounds.of(i, Crowd::heapPerWaiter),
                    rounds.of(i, Crowd::platformThreads),
                    rounds.of(i, Crowd::millis));
        }
    }

    private static void datagrams(Options options) throws Exception {
        System.out.printf("%n### UDP over ifb, %d bytes: zero copy against plain sends%n%n", DATAGRAM);
        System.out.println(
                "| buffers | plain, GB/s | zero copy ÷ plain | CPU of zero copy ÷ plain | heap bytes per send |"
                        + " shared ring ÷ zero copy | ring of one's own ÷ zero copy | its CPU ÷ zero copy |");
        System.out.println("|---|---|---|---|---:|---|---|---|");
        for (BufferPool.Pages pages : BufferPool.Pages.values()) {
            for (boolean cold : new boolean[] {false, true}) {
                datagrams(options, pages, cold, DATAGRAM);
            }
        }
        System.out.printf("%n### UDP over ifb, cold buffers on small pages, by size%n%n");
        System.out.println(
                "| buffers | plain, GB/s | zero copy ÷ plain | CPU of zero copy ÷ plain | heap bytes per send |"
                        + " shared ring ÷ zero copy | ring of one's own ÷ zero copy | its CPU ÷ zero copy |");
        System.out.println("|---|---|---|---|---:|---|---|---|");
        for (int size = 1024; size <= 32 * 1024; size *= 2) {
            datagrams(options, BufferPool.Pages.SMALL, true, size);
        }
    }

    private static void datagrams(Options options, BufferPool.Pages wish, boolean cold, int size) throws Exception {
        int count = cold ? COLD : 1;
        try (BufferPool pool = BufferPool.open(DATAGRAM, count, wish);
                DatagramChannel one = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                DatagramChannel two = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                DatagramChannel three = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                Owner own = new Owner(size, count)) {
            if (pool.pages() != wish) {
                System.out.printf("| %s: not to be had, got %s | | | | | | | |%n", wish, pool.pages());
                return;
            }
            List<BufferLease> leases = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                leases.add(pool.lease().put(new byte[size]).freeze());
            }
            ZeroCopySender plain = ZeroCopySender.over(one).policy(Policy.NEVER).open();
            ZeroCopySender zeroCopy =
                    ZeroCopySender.over(two).policy(Policy.ALWAYS).open();
            ZeroCopySender byRing = ZeroCopySender.over(three)
                    .policy(Policy.ALWAYS)
                    .by(SharedRing.shared().sends())
                    .open();
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            long[] allocated = new long[2];
            Rounds<Run> rounds = play(
                    options,
                    bytes -> sendFrozen(plain, leases, bytes),
                    bytes -> {
                        long before = threads.getCurrentThreadAllocatedBytes();
                        sendFrozen(zeroCopy, leases, bytes);
                        allocated[0] += threads.getCurrentThreadAllocatedBytes() - before;
                        allocated[1] += bytes / size;
                    },
                    bytes -> sendFrozen(byRing, leases, bytes),
                    own::send);
            System.out.printf(
                    Locale.ROOT,
                    "| %d B, %s, %s | %s | %s | %s | %d | %s | %s | %s |%n",
                    size,
                    wish,
                    cold ? "cold" : "one hot buffer",
                    rounds.of(0, run -> run.bytesPerSecond() / 1e9),
                    rounds.ratio(1, 0, Run::bytesPerSecond),
                    rounds.ratio(1, 0, Run::cpuPerByte),
                    allocated[0] / allocated[1],
                    rounds.ratio(2, 1, Run::bytesPerSecond),
                    rounds.ratio(3, 1, Run::bytesPerSecond),
                    rounds.ratio(3, 1, Run::cpuPerByte));
            plain.close();
            zeroCopy.close();
            byRing.close();
            leases.forEach(BufferLease::close);
        }
    }

    /** A thread with a ring and a socket of its own, which hands over many sends from registered memory at a time. */
    private static final class Owner implements AutoCloseable {
        private static final int BATCH = 32;
        private static final int IN_FLIGHT = 128;

        private final Arena arena = Arena.ofShared();
        private final List<MemorySegment> buffers = new ArrayList<>();
        private final int size;
        private final Ring ring;
        private final int socket;

        Owner(int size, int count) throws IOException {
            this.size = size;
            MemorySegment memory = arena.allocate((long) DATAGRAM * count, 4096);
            for (int i = 0; i < count; i++) {
                buffers.add(memory.asSlice((long) i * DATAGRAM, size));
            }
            ring = Ring.open(2 * BATCH);
            ring.registry().buffers(memory);
            ring.next().socket(2, 2, 0);
            socket = result();
            ring.next().connect(socket, Endpoint.parse("10.9.9.2:9"));
            result();
        }

        private int result() throws IOException {
            ring.submitAndWait(1);
            int result = ring.peek().result();
            ring.advance();
            if (result < 0) {
                throw new IOException("errno " + -result);
            }
            return result;
        }

        void send(long bytes) throws IOException {
            int next = 0;
            for (long sent = 0; sent < bytes; sent += size) {
                ring.next().sendZeroCopy(socket, buffers.get(next), 0).fixedBuffer(0);
                next = next + 1 == buffers.size() ? 0 : next + 1;
                if (ring.queued() == BATCH) {
                    ring.submit();
                    ring.reap(this::completed);
                    await(IN_FLIGHT);
                }
            }
            await(0);
        }

        private void await(int inFlight) throws IOException {
            while (ring.inFlight() > inFlight) {
                ring.submitAndWait(1);
                ring.reap(this::completed);
            }
        }

        private void completed(Completion completion) {
            if (!completion.notification() && completion.result() != size) {
                throw new IllegalStateException(completion.toString());
            }
        }

        @Override
        public void close() throws IOException {
            ring.next().close(socket);
            result();
            ring.close();
            arena.close();
        }
    }

    private static void sendFrozen(ZeroCopySender sender, List<BufferLease> leases, long bytes) throws IOException {
        int next = 0;
        for (long sent = 0; sent < bytes; sent += leases.getFirst().length()) {
            sender.send(leases.get(next));
            next = next + 1 == leases.size() ? 0 : next + 1;
        }
        sender.drain();
    }

    /** 1,000 sends over as many sockets as they take without one being drained, and then all at once. */
    private static void completions(Options options) throws Exception {
        System.out.printf("%n### 1,000 sends in flight over 100 sockets%n%n");
        List<ZeroCopySender> senders = new ArrayList<>();
        try (BufferPool pool = BufferPool.open(4096, 1000)) {
            for (int i = 0; i < 100; i++) {
                DatagramChannel channel = DatagramChannel.open().connect(new InetSocketAddress("10.9.9.2", 9));
                senders.add(ZeroCopySender.over(channel)
                        .policy(Policy.ALWAYS)
                        .drainedByCaller()
                        .open());
            }
            List<double[]> runs = new ArrayList<>();
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            for (int round = 0; round < 20 * options.rounds(); round++) {
                List<BufferLease> leases = new ArrayList<>();
                SendReceipt[] receipts = new SendReceipt[1000];
                for (int i = 0; i < 1000; i++) {
                    leases.add(pool.lease().length(4096));
                }
                long allocated = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 1000; i++) {
                    receipts[i] = senders.get(i % 100).send(leases.get(i), Stage.QUEUED);
                }
                allocated = threads.getCurrentThreadAllocatedBytes() - allocated;
                long nanos = System.nanoTime();
                int drained = 0;
                for (ZeroCopySender sender : senders) {
                    drained += sender.drain();
                }
                nanos = System.nanoTime() - nanos;
                if (round >= options.rounds()) {
                    runs.add(new double[] {allocated / 1000.0, (double) nanos / Math.max(1, drained), drained});
                }
            }
            System.out.println("| | median (quartiles) |");
            System.out.println("|---|---|");
            String[] names = {"heap bytes per send", "ns per completion", "completions of one drain"};
            for (int i = 0; i < names.length; i++) {
                int figure = i;
                System.out.printf(
                        "| %s | %s |%n",
                        names[i],
                        Rounds.Spread.of(
                                runs.stream().mapToDouble(run -> run[figure]).toArray()));
            }
            for (ZeroCopySender sender : senders) {
                sender.close();
            }
        }
    }

    /** In turn, after two rounds to warm up. */
    private static Rounds<Run> play(Options options, Contender... contenders) throws Exception {
        Rounds<Run> rounds = new Rounds<>();
        long pid = ProcessHandle.current().pid();
        long bytes = options.bytes() / (1 << 20) * (1 << 20);
        for (int round = -2; round < options.rounds(); round++) {
            List<Run> runs = new ArrayList<>();
            for (Contender contender : contenders) {
                long cpu = Libc.cpuNanos(pid);
                long nanos = System.nanoTime();
                contender.send(bytes);
                nanos = System.nanoTime() - nanos;
                cpu = Libc.cpuNanos(pid) - cpu;
                runs.add(new Run(bytes * 1e9 / nanos, (double) cpu / bytes));
            }
            if (round >= 0) {
                rounds.add(runs);
            }
        }
        return rounds;
    }
}
