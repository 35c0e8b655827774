package dev.sluice.bench;

import dev.sluice.Sluice;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A virtual thread sends a file to a receiver that never reads, with a single carrier: what becomes of the other virtual
 * threads? Each way runs in a JVM of its own for three seconds, in which another virtual thread ticks every 10 ms. Prints
 * a table in Markdown.
 */
public final class VirtualThreadSend {
    private static final long MILLIS = 3000;
    private static final long TICK_MILLIS = 10;
    private static final long FILE_SIZE = 64 << 20;

    /** Blocks for as long as the receiver does not read; counts its calls. */
    private interface Sender {
        void send(Path file, SocketChannel sink, AtomicLong calls) throws Exception;
    }

    private VirtualThreadSend() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("child")) {
            run(sender(args[1]));
            return;
        }
        Options options = Options.parse(args, 3, 0);
        System.out.printf(
                "One carrier, a receiver that never reads, %d ms; medians of %d JVMs.%n%n", MILLIS, options.rounds());
        System.out.println("| the sender | ticks of another virtual thread | CPU-s burnt | calls |");
        System.out.println("|---|---:|---:|---:|");
        row("nobody sends", "nobody", options.rounds());
        row("FileChannel.transferTo, socket connected by a platform thread", "transferTo", options.rounds());
        row(
                "FileChannel.transferTo, which the virtual thread wrote to before",
                "transferTo-after-write",
                options.rounds());
        row("Sluice.transfer to a StreamSocket", "sluice", options.rounds());
        row(
                "Sluice.transfer to a SocketChannel, which the virtual thread wrote to before",
                "sluice-channel",
                options.rounds());
    }

    private static Sender sender(String name) {
        return switch (name) {
            case "nobody" -> (file, sink, calls) -> {};
            case "transferTo" -> (file, sink, calls) -> transferTo(file, sink, false, calls);
            case "transferTo-after-write" -> (file, sink, calls) -> transferTo(file, sink, true, calls);
            case "sluice" -> VirtualThreadSend::toStreamSocket;
            case "sluice-channel" -> VirtualThreadSend::toSocketChannel;
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static void row(String name, String sender, int rounds) throws Exception {
        List<long[]> runs = new ArrayList<>();
        for (int i = 0; i < rounds; i++) {
            List<String> command =
                    Party.javaCommand(System.getProperty("java.class.path"), VirtualThreadSend.class, "child", sender);
            command.addAll(
                    1,
                    List.of(
                            "-Djdk.virtualThreadScheduler.parallelism=1",
                            "-Djdk.virtualThreadScheduler.maxPoolSize=1"));
            Process child = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String[] figures = child.inputReader().readLine().split(" ");
            child.destroyForcibly();
            runs.add(new long[] {Long.parseLong(figures[0]), Long.parseLong(figures[1]), Long.parseLong(figures[2])});
        }
        System.out.printf("| %s | %d | %.2f | %d |%n", name, median(runs, 0), median(runs, 1) / 1e9, median(runs, 2));
    }

    private static long median(List<long[]> runs, int figure) {
        return runs.stream()
                .mapToLong(run -> run[figure])
                .sorted()
                .skip(runs.size() / 2)
                .findFirst()
                .orElseThrow();
    }

    /** Prints "TICKS CPU_NANOS CALLS" and leaves the sender where it is: it may never come back. */
    private static void run(Sender sender) throws Exception {
        Path file = Files.createTempFile("sluice-bench", "");
        String figures;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                ServerSocketChannel listener = ServerSocketChannel.open()) {
            channel.write(ByteBuffer.allocate(1), FILE_SIZE - 1);
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel sink = SocketChannel.open(listener.getLocalAddress());
            AtomicLong ticks = new AtomicLong();
            AtomicLong calls = new AtomicLong();
            Thread.ofVirtual().start(() -> tick(ticks));
            Thread.sleep(300);
            Thread.ofVirtual().start(() -> {
                try {
                    sender.send(file, sink, calls);
                } catch (Exception e) {
                    e.printStackTrace();
                }
            });
            // Past the connecting and the filling of the socket's buffers.
            Thread.sleep(500);
            long cpu = Libc.cpuNanos(ProcessHandle.current().pid());
            long ticked = ticks.get();
            long called = calls.get();
            Thread.sleep(MILLIS);
            cpu = Libc.cpuNanos(ProcessHandle.current().pid()) - cpu;
            figures = (ticks.get() - ticked) + " " + cpu + " " + (calls.get() - called);
        } finally {
            Files.delete(file);
        }
        System.out.println(figures);
        Runtime.getRuntime().halt(0);
    }

    private static void tick(AtomicLong ticks) {
        try {
            while (true) {
                Thread.sleep(TICK_MILLIS);
                ticks.incrementAndGet();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The loop that the documentation asks for, since a call may transfer fewer bytes than wanted. */
    private static void transferTo(Path file, SocketChannel sink, boolean writeBefore, AtomicLong calls)
            throws IOException {
        try (FileChannel source = FileChannel.open(file)) {
            if (writeBefore) {
                sink.write(ByteBuffer.allocate(1));
            }
            for (long sent = 0; sent < FILE_SIZE; ) {
                sent += source.transferTo(sent, FILE_SIZE - sent, sink);
                calls.incrementAndGet();
            }
        }
    }

    private static void toStreamSocket(Path file, SocketChannel other, AtomicLong calls) throws IOException {
        int port = ((InetSocketAddress) other.getRemoteAddress()).getPort();
        try (KernelFile source = KernelFile.open(file, StandardOpenOption.READ);
                StreamSocket sink = StreamSocket.connect(Endpoint.parse("127.0.0.1:" + port))) {
            Sluice.transfer(source, sink);
            calls.incrementAndGet();
        }
    }

    private static void toSocketChannel(Path file, SocketChannel sink, AtomicLong calls) throws IOException {
        sink.write(ByteBuffer.allocate(1));
        try (KernelFile source = KernelFile.open(file, StandardOpenOption.READ)) {
            Sluice.transfer(source, sink);
            calls.incrementAndGet();
        }
    }
}
