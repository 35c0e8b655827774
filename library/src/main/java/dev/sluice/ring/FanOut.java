package dev.sluice.ring;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.fd.Descriptors;
import dev.sluice.internal.fd.Waiter;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Files;
import dev.sluice.internal.linux.Polling;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.loop.DescriptorStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.nio.channels.WritePendingException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * One buffer on its way to many descriptors, each at its own pace; the caller waits for the last. What sockets take at once he
 * sends himself, and if it is much, so does the ring's thread meanwhile; what they don't take the ring waits for.
 */
final class FanOut {
    private static final int MSG_WAITALL = 0x100;

    /** Less in all is sent sooner than the ring's thread would be awake. */
    private static final long WORTH_SHARING = 1 << 20;

    /** How many sends the ring's thread has at a time: few, so that neither waits long for the other at the end. */
    private static final int SHARE = 8;

    private final RingThread thread;
    private final MemorySegment bytes;
    private final Thread waiting = Thread.currentThread();
    private final List<Part> parts = new ArrayList<>();
    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicInteger begun = new AtomicInteger();
    private volatile boolean cancelled;

    private FanOut(RingThread thread, MemorySegment bytes) {
        this.thread = thread;
        this.bytes = bytes;
    }

    static List<Delivery> run(
            RingThread thread, ByteBuffer buffer, long deadline, List<? extends WritableByteChannel> sinks) {
        for (WritableByteChannel sink : sinks) {
            if (Descriptors.sink(sink) == null) {
                throw new IllegalArgumentException("a fan-out is for the library's own channels, not " + sink);
            }
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = MemorySegment.ofBuffer(buffer);
            if (!bytes.isNative()) {
                bytes = arena.allocate(bytes.byteSize()).copyFrom(bytes);
            }
            FanOut fan = new FanOut(thread, bytes);
            for (WritableByteChannel sink : sinks) {
                fan.parts.add(fan.new Part(sink));
            }
            fan.start(deadline);
            String why = fan.await(deadline);
            return fan.parts.stream().map(part -> part.delivery(why)).toList();
        }
    }

    private void start(long deadline) {
        // Counted before the first can end.
        unfinished.set(parts.size());
        if (thread != null && parts.size() * bytes.byteSize() >= WORTH_SHARING) {
            for (int i = 0; i < SHARE; i++) {
                shareNext();
            }
        }
        Part part;
        while ((part = next()) != null) {
            part.start(deadline);
        }
    }

    private Part next() {
        int index = begun.getAndIncrement();
        return index < parts.size() ? parts.get(index) : null;
    }

    /** Gives the ring one more. */
    private void shareNext() {
        Part part;
        do {
            part = next();
        } while (part != null && !part.share());
    }

    /** Why the rest was cut off, or null. */
    private String await(long deadline) {
        String why = null;
        boolean interrupted = false;
        while (unfinished.get() > 0) {
            long left = deadline == Long.MAX_VALUE ? Long.MAX_VALUE : deadline - System.nanoTime();
            if (why != null || left == Long.MAX_VALUE) {
                LockSupport.park(this);
            } else if (left > 0) {
                LockSupport.parkNanos(this, left);
            }
            interrupted |= Thread.interrupted();
            if (why == null && (interrupted || left <= 0)) {
                why = interrupted ? "interrupted" : "timed out";
                cancelled = true;
                parts.forEach(Part::cancel);
            }
        }
        if (interrupted) {
            waiting.interrupt();
        }
        return why;
    }

    /** What one sink gets. It goes on by itself after a short write, whoever notices that. */
    private final class Part implements Waiter {
        private final WritableByteChannel sink;
        private final Descriptor descriptor;
        private boolean claimed;
        private boolean shared;
        private Request request;
        private Thread writer;
        private volatile int done;
        private volatile IOException failure;

        Part(WritableByteChannel sink) {
            this.sink = sink;
            this.descriptor = Descriptors.sink(sink);
        }

        void start(long deadline) {
            if (!claim()) {
                return;
            }
            if (thread == null) {
                ordinary(deadline);
            } else if (descriptor.kind() == Descriptor.Kind.SOCKET) {
                written(false, (int) Sockets.send(descriptor.fd(), bytes.address(), bytes.byteSize()));
            } else {
                submit(false);
            }
        }

        /** By the ring, which gets another one when it has done this; false if there is nothing to do. */
        boolean share() {
            if (!claim()) {
                return false;
            }
            shared = true;
            submit(false);
            return true;
        }

        private boolean claim() {
            if (!descriptor.acquire()) {
                failure = new ClosedChannelException();
                finish();
                return false;
            }
            try {
                descriptor.claimWriting(this);
                claimed = true;
            } catch (WritePendingException e) {
                end(new IOException(descriptor.name() + ": somebody else is writing", e));
            }
            return claimed;
        }

        private synchronized void submit(boolean poll) {
            if (cancelled || !descriptor.isOpen()) {
                end(-Errno.ECANCELED);
                return;
            }
            request = new Request() {
                @Override
                void fill(Submission submission) {
                    int fd = descriptor.fd();
                    MemorySegment rest = bytes.asSlice(done);
                    if (poll) {
                        submission.poll(fd, Polling.EPOLLOUT);
                    } else if (descriptor.kind() == Descriptor.Kind.SOCKET) {
                        submission.send(fd, rest, MSG_WAITALL);
                    } else {
                        submission.write(fd, rest, -1);
                    }
                }

                @Override
                void finished() {
                    written(poll, result());
                    if (shared) {
                        shared = false;
                        shareNext();
                    }
                }
            };
            thread.submit(request);
        }

        private void written(boolean poll, int result) {
            if (result == -Errno.EAGAIN || result == -Errno.EINTR) {
                submit(true);
            } else if (result < 0) {
                end(result);
            } else if (poll) {
                submit(false);
            } else {
                done += result;
                if (done < bytes.byteSize()) {
                    submit(false);
                } else {
                    end(null);
                }
            }
        }

        /** On a thread of its own, which the deadline or an interrupt ends. */
        private void ordinary(long deadline) {
            ByteBuffer rest = bytes.asByteBuffer();
            writer = Thread.ofVirtual().start(() -> {
                IOException problem = null;
                try {
                    if (descriptor.kind().pollable()) {
                        // Its own claim is the one that a close tells.
                        descriptor.unclaimWriting();
                        claimed = false;
                        new DescriptorStream(descriptor).write(rest, deadline);
                    } else {
                        while (rest.hasRemaining()) {
                            long count =
                                    Files.write(descriptor.fd(), bytes.address() + rest.position(), rest.remaining());
                            if (count < 0) {
                                throw descriptor.failure("write", count);
                            }
                            rest.position(rest.position() + (int) count);
                        }
                    }
                } catch (InterruptedIOException e) {
                    problem = cancelled ? null : e;
                } catch (IOException e) {
                    problem = e;
                } catch (RuntimeException e) {
                    problem = new IOException(descriptor.name() + ": " + e, e);
                }
                done = rest.position();
                end(problem);
            });
        }

        synchronized void cancel() {
            if (request != null) {
                thread.submit(new RingThread.Cancel(request));
            }
            if (writer != null) {
                writer.interrupt();
            }
        }

        /** The descriptor is being closed. */
        @Override
        public void ready() {
            cancel();
        }

        private void end(int result) {
            if (!descriptor.isOpen()) {
                end(new AsynchronousCloseException());
            } else if (result == -Errno.ECANCELED && cancelled) {
                // The caller knows why.
                end(null);
            } else {
                String call = descriptor.kind() == Descriptor.Kind.SOCKET ? "send" : "write";
                end(descriptor.failure(call, result));
            }
        }

        private void end(IOException problem) {
            failure = problem;
            if (claimed) {
                descriptor.unclaimWriting();
            }
            descriptor.release();
            finish();
        }

        private void finish() {
            if (unfinished.decrementAndGet() == 0) {
                LockSupport.unpark(waiting);
            }
        }

        Delivery delivery(String why) {
            IOException reason = failure;
            if (reason == null && done < bytes.byteSize()) {
                String message = descriptor.name() + ": " + why + " after " + done + " bytes";
                reason = "interrupted".equals(why)
                        ? new InterruptedIOException(message)
                        : new SocketTimeoutException(message);
            }
            return new Delivery(sink, done, reason);
        }
    }
}
