package dev.sluice.internal.fd;

import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Native;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.Endpoint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;

/**
 * The use of a JDK channel's descriptor in one direction, for as long as a transfer lasts: a close-on-exec duplicate that
 * makes nobody wait. All transfers that use a channel share it.
 *
 * <p>A socket is told not to wait by SO_RCVTIMEO and SO_SNDTIMEO, each only while its direction is used. O_NONBLOCK would
 * do the same, but the JDK sets and clears it, when a virtual thread reads or a stream has a time-out, and nobody can see
 * whether it still counts on it; of the time-outs the JDK knows nothing, and it bears a blocking read or write that says
 * EAGAIN. So they are ours to set and to take back at any time.
 *
 * <p>Pipes and datagram sockets have O_NONBLOCK alone. It belongs to the open file, so the user's descriptor has it meanwhile, too. The mode
 * that the user set, {@code isBlocking}, is back before the adoption is handed out.
 *
 * <p>The user's close neither sends FIN while the duplicate is open nor wakes a poll, so a thread looks every
 * {@value #SWEEP_MILLIS} ms whether an adopted channel is still open.
 */
public final class Adoption {
    private static final long SWEEP_MILLIS = 50;

    /** How long the user's own reads and writes may keep us waiting for the channel's locks. */
    private static final long PATIENCE_MILLIS = 200;

    /** The same for a channel that was idle a moment ago, plus the wait for our turn among many adoptions. */
    private static final long STEP_MILLIS = 2000;

    private static final ThreadFactory PROBE =
            Thread.ofPlatform().daemon().name("sluice-probe-", 0).factory();

    /** Those who wait for a channel's locks, for as long as it takes; one at a time for each direction. */
    private static final ExecutorService PROBERS = Executors.newCachedThreadPool(PROBE);

    private static final Map<Side, Probe> PROBES = new ConcurrentHashMap<>();

    /** So that the patience is with the channel's users, and not with thousands of adoptions at once. */
    private static final Semaphore PATIENT = new Semaphore(64);

    private static final Map<Channel, Shared> ADOPTED = new ConcurrentHashMap<>();
    private static final Object[] LOCKS = Stream.generate(Object::new).limit(64).toArray();

    private final Shared shared;
    private final Way way;

    private Adoption(Shared shared, Way way) {
        this.shared = shared;
        this.way = way;
    }

    /** Which way a channel is used. */
    public enum Way {
        READ(Sockets.SO_RCVTIMEO) {
            @Override
            void nothing(SelectableChannel channel) throws IOException {
                if (channel instanceof ReadableByteChannel readable) {
                    readable.read(ByteBuffer.allocate(0));
                }
            }
        },
        WRITE(Sockets.SO_SNDTIMEO) {
            @Override
            void nothing(SelectableChannel channel) throws IOException {
                if (channel instanceof WritableByteChannel writable) {
                    writable.write(ByteBuffer.allocate(0));
                }
            }
        };

        private final int timeout;

        Way(int timeout) {
            this.timeout = timeout;
        }

        /** Reads or writes nothing, which waits for those who are reading or writing. */
        abstract void nothing(SelectableChannel channel) throws IOException;
    }

    /** A direction of a channel. */
    private record Side(SelectableChannel channel, Way way) {}

    /** What all transfers that use a channel have in common. */
    private static final class Shared {
        final SelectableChannel channel;
        final Descriptor descriptor;

        /** A pipe's mode before. */
        final boolean wasNonBlocking;

        final int[] users = new int[Way.values().length];

        /** A socket's time-outs before. */
        final long[] timeouts = new long[users.length];

        Shared(SelectableChannel channel, Descriptor descriptor, boolean wasNonBlocking) {
            this.channel = channel;
            this.descriptor = descriptor;
            this.wasNonBlocking = wasNonBlocking;
        }

        /** False if calls that way could wait. */
        boolean enter(Way way) {
            int index = way.ordinal();
            return users[index]++ > 0
                    || !(channel instanceof SocketChannel)
                    || withDescriptor(fd -> {
                        timeouts[index] = Math.max(0, Sockets.timeout(fd, way.timeout));
                        return Sockets.setTimeout(fd, way.timeout, -1);
                    });
        }

        void leave(Way way) {
            int index = way.ordinal();
            if (--users[index] == 0 && channel instanceof SocketChannel) {
                withDescriptor(fd -> Sockets.setTimeout(fd, way.timeout, timeouts[index]));
            }
        }

        /** False if it fails. If the user has closed the channel, nothing matters any more. */
        private boolean withDescriptor(IntUnaryOperator call) {
            if (!descriptor.acquire()) {
                return true;
            }
            try {
                return call.applyAsInt(descriptor.fd()) >= 0;
            } finally {
                descriptor.release();
            }
        }

        boolean unused() {
            return Arrays.stream(users).allMatch(n -> n == 0);
        }
    }

    /** Why a channel can't be adopted, in words that follow "the source is" or "the sink is". */
    public static final class Refusal extends Exception {
        private static final long serialVersionUID = 1L;

        Refusal(String reason) {
            super(reason, null, false, false);
        }
    }

    /**
     * Adopts one direction of the channel, or joins those who have.
     *
     * @throws Refusal if its descriptor can't be had, or not with certainty
     */
    public static Adoption of(Channel channel, Way way) throws Refusal {
        if (channel instanceof DatagramChannel) {
            throw new Refusal("a DatagramChannel, whose messages are no stream");
        }
        return ofAny(channel, way);
    }

    /** The same, also for a connected DatagramChannel, which nobody may be reading or writing meanwhile. */
    public static Adoption ofAny(Channel channel, Way way) throws Refusal {
        if (channel instanceof FileChannel && Native.available()) {
            throw new Refusal("a FileChannel, whose descriptor is out of reach; use KernelFile.open(path)");
        }
        if (!(channel instanceof SelectableChannel selectable) || !ofTheJdk(selectable)) {
            throw new Refusal("a " + channel.getClass().getName() + ", whose descriptor is out of reach");
        }
        if (!Native.available()) {
            if (!Native.switchedOff()) {
                Shortfall.NATIVE_ACCESS.tell(() -> "transfers copy: " + Native.unavailable());
            }
            throw new Refusal("a JDK channel, and native calls are not to be had: " + Native.unavailable());
        }
        synchronized (lock(channel)) {
            Shared shared = ADOPTED.get(channel);
            if (shared == null) {
                shared = adopt(selectable, way);
                ADOPTED.put(channel, shared);
                Sweeper.wake();
            } else if (shared.users[way.ordinal()] == 0) {
                awaitIdle(selectable, way);
            }
            Adoption adoption = new Adoption(shared, way);
            if (!shared.enter(way)) {
                adoption.leave();
                throw new Refusal("a JDK channel, and the kernel refuses it a time-out");
            }
            return adoption;
        }
    }

    private static Shared adopt(SelectableChannel channel, Way way) throws Refusal {
        awaitIdle(channel, way);
        if (channel instanceof SocketChannel socket) {
            try {
                int duplicate = MarkedSocket.duplicate(socket);
                if (duplicate >= 0) {
                    return shared(channel, duplicate);
                }
            } catch (IOException e) {
                // Closed, as will be said below, or it does not take the option.
            }
            // The selector needs the locks of both.
            awaitIdle(channel, way == Way.READ ? Way.WRITE : Way.READ);
        }
        try {
            return patiently(channel, Adoption::adoptWatched, late -> late.descriptor.close());
        } catch (Refusal e) {
            DescriptorFinder.explain();
            throw e;
        }
    }

    private static Object lock(Channel channel) {
        return LOCKS[System.identityHashCode(channel) & (LOCKS.length - 1)];
    }

    private static boolean ofTheJdk(SelectableChannel channel) {
        boolean known = channel instanceof SocketChannel socket && socket.isConnected()
                || channel instanceof DatagramChannel datagrams && datagrams.isConnected()
                || channel instanceof Pipe.SourceChannel
                || channel instanceof Pipe.SinkChannel;
        return known
                && channel.provider() == SelectorProvider.provider()
                && channel.getClass().getName().startsWith("sun.nio.ch.");
    }

    public Descriptor descriptor() {
        return shared.descriptor;
    }

    /** Ends this use; the last one gives the user's descriptor back as it was and closes the duplicate. */
    public void leave() {
        SelectableChannel channel = shared.channel;
        synchronized (lock(channel)) {
            shared.leave(way);
            if (shared.unused()) {
                ADOPTED.remove(channel);
                boolean changed = !shared.wasNonBlocking || shared.descriptor.modeChanged();
                if (!(channel instanceof SocketChannel) && changed && channel.isOpen()) {
                    restore(channel, way);
                }
                shared.descriptor.close();
            }
        }
    }

    /**
     * Through the JDK, which alone knows whether a virtual thread wants the descriptor non-blocking meanwhile. One that the
     * user's threads are reading or writing stays non-blocking, which the JDK bears.
     */
    private static void restore(SelectableChannel channel, Way way) {
        try {
            awaitIdle(channel, way);
            patiently(channel, Adoption::resetMode, reset -> {});
        } catch (Refusal e) {
            // In use, or closed.
        }
    }

    private static SelectableChannel resetMode(SelectableChannel channel) throws IOException {
        synchronized (channel.blockingLock()) {
            if (channel.isBlocking()) {
                channel.configureBlocking(false);
                channel.configureBlocking(true);
            }
        }
        return channel;
    }

    private static Shared adoptWatched(SelectableChannel channel) throws IOException, Refusal {
        // Whoever else wants to set the mode, or to register the channel, waits meanwhile.
        synchronized (channel.blockingLock()) {
            boolean blocking = channel.isBlocking();
            // Takes the channel's locks: none of the user's calls is under way then.
            channel.configureBlocking(false);
            int duplicate;
            try {
                duplicate = DescriptorFinder.duplicate(channel, blocking);
            } catch (IOException | Refusal | RuntimeException e) {
                if (blocking) {
                    channel.configureBlocking(true);
                }
                throw e;
            }
            return shared(channel, duplicate);
        }
    }

    private static Shared shared(SelectableChannel channel, int duplicate) throws IOException {
        try {
            String name = name(channel, duplicate);
            if (channel instanceof SocketChannel) {
                return new Shared(channel, Descriptor.adopt(duplicate, name), false);
            }
            int flags = Files.flags(duplicate);
            int set = flags < 0 ? flags : Files.setFlags(duplicate, flags | Files.O_NONBLOCK);
            if (set < 0) {
                throw Descriptor.failure("fcntl", channel.toString(), set);
            }
            boolean wasNonBlocking = (flags & Files.O_NONBLOCK) != 0;
            return new Shared(channel, Descriptor.share(duplicate, name), wasNonBlocking);
        } catch (IOException | RuntimeException e) {
            Files.close(duplicate);
            throw e;
        }
    }

    private static String name(SelectableChannel channel, int fd) {
        if (!(channel instanceof NetworkChannel)) {
            return "pipe " + fd;
        }
        Endpoint peer = Sockets.remoteAddress(fd);
        boolean unnamed = peer == null || peer.equals(new Endpoint.Unix(""));
        return String.valueOf(unnamed ? Sockets.localAddress(fd) : peer);
    }

    /**
     * Waits until nobody is reading or writing the channel that way. Changing its mode would wait, too, but could not be
     * called off once somebody has lost patience, and would then hit the user's next read; an empty read or write waits for
     * the same lock and does nothing. On a datagram socket it would take or send a message.
     */
    private static void awaitIdle(SelectableChannel channel, Way way) throws Refusal {
        if (!channel.isBlocking() || channel instanceof DatagramChannel) {
            // Nobody stays for long, or nobody may be there.
            return;
        }
        Probe probe = new Probe(new Side(channel, way));
        if (PROBES.putIfAbsent(probe.side, probe) != null) {
            // It has not become idle since the last time.
            throw inUse();
        }
        PATIENT.acquireUninterruptibly();
        try {
            PROBERS.execute(probe);
            if (!probe.endsSoon()) {
                throw inUse();
            }
        } finally {
            PATIENT.release();
        }
    }

    /** On a platform thread, since a virtual one makes the JDK set the descriptor non-blocking for good. */
    private static final class Probe implements Runnable {
        private final Side side;
        private final CompletableFuture<Void> end = new CompletableFuture<>();
        private volatile boolean begun;

        Probe(Side side) {
            this.side = side;
        }

        @Override
        public void run() {
            begun = true;
            try {
                side.way.nothing(side.channel);
            } catch (IOException e) {
                // Closed, or reset: nobody uses it any more.
            }
            PROBES.remove(side);
            end.complete(null);
        }

        /** Patient from its begin on, since a busy machine may let the thread wait, too. */
        boolean endsSoon() {
            boolean running;
            do {
                running = begun;
                try {
                    end.copy().orTimeout(PATIENCE_MILLIS, TimeUnit.MILLISECONDS).join();
                    return true;
                } catch (CompletionException e) {
                    // Not yet.
                }
            } while (!running);
            return false;
        }
    }

    private static Refusal inUse() {
        return new Refusal("a JDK channel that somebody else is reading or writing");
    }

    private interface Step<T> {
        T on(SelectableChannel channel) throws IOException, Refusal;
    }

    /**
     * Makes the step on a thread of its own, since a reader of the user's may have come in and hold the locks for ever. What
     * comes too late is undone; the step itself leaves the channel's mode as it found it.
     */
    private static <T> T patiently(SelectableChannel channel, Step<T> step, Consumer<T> tooLate) throws Refusal {
        CompletableFuture<T> outcome = new CompletableFuture<>();
        Thread.ofVirtual().name("sluice-adopt").start(() -> {
            try {
                T result = step.on(channel);
                if (!outcome.complete(result)) {
                    tooLate.accept(result);
                }
            } catch (IOException | Refusal | RuntimeException e) {
                outcome.completeExceptionally(e);
            }
        });
        try {
            return outcome.orTimeout(STEP_MILLIS, TimeUnit.MILLISECONDS).join();
        } catch (CompletionException e) {
            switch (e.getCause()) {
                case Refusal refusal -> throw refusal;
                case TimeoutException late -> throw inUse();
                default -> throw new Refusal("a JDK channel that could not be adopted: " + e.getCause());
            }
        }
    }

    /** Notices that a user closed an adopted channel. */
    private static final class Sweeper {
        private static final Thread THREAD =
                Thread.ofPlatform().daemon().name("sluice-sweeper").start(Sweeper::run);

        static void wake() {
            LockSupport.unpark(THREAD);
        }

        private static void run() {
            while (true) {
                for (Shared shared : ADOPTED.values()) {
                    if (!shared.channel.isOpen()) {
                        shared.descriptor.close();
                    }
                }
                if (ADOPTED.isEmpty()) {
                    LockSupport.park();
                } else {
                    LockSupport.parkNanos(SWEEP_MILLIS * 1_000_000);
                }
            }
        }
    }
}
