package dev.sluice.ring;

import dev.sluice.internal.linux.Message;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.send.SendReceipt.Path;
import dev.sluice.send.ZeroCopyCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** SEND_ZC and SENDMSG_ZC: one request per call, which is answered by its result and over with its notification. */
final class RingSends implements ZeroCopyCalls {
    /** A socket without room is waited for elsewhere, with the sender's patience; see {@link Sockets#send}. */
    private static final int AT_ONCE = Sockets.MSG_DONTWAIT | Sockets.MSG_NOSIGNAL;

    private final SharedRing ring;
    private String reason;

    RingSends(SharedRing ring) {
        this.ring = ring;
    }

    /** On the ring's thread. */
    void register(Ring opened) {
        try {
            reason = opened.supports(Operation.SENDMSG_ZC)
                    ? null
                    : "this kernel's rings have no zero-copy sends (SENDMSG_ZC, Linux 6.1)";
        } catch (IOException e) {
            reason = e.getMessage();
        }
    }

    @Override
    public String unavailable() {
        return ring.reason() != null ? ring.reason() : reason;
    }

    @Override
    public int register(MemorySegment memory) {
        return ring.memories().register(memory);
    }

    @Override
    public void unregister(int memory) {
        ring.memories().unregister(memory);
    }

    @Override
    public int send(int fd, long address, int length, int flags, int memory, long deadline, Flight flight)
            throws IOException {
        return perform(deadline, new Send(flight) {
            @Override
            void make(Submission submission) {
                submission.raw(Operation.SEND_ZC.ordinal(), fd, 0, address, length, flags | AT_ONCE);
                if (memory != UNREGISTERED) {
                    submission.fixedBuffer(memory);
                }
            }
        });
    }

    @Override
    public int send(int fd, Message message, int flags, long deadline, Flight flight) throws IOException {
        return perform(deadline, new Send(flight) {
            @Override
            void make(Submission submission) {
                submission.raw(Operation.SENDMSG_ZC.ordinal(), fd, 0, message.address(), 1, flags | AT_ONCE);
            }
        });
    }

    private int perform(long deadline, Send send) throws IOException {
        RingThread thread = ring.thread();
        // Of a closed ring it comes back as cancelled.
        thread.submit(send);
        int result = thread.await(send, deadline);
        return send.taken > 0 ? send.taken : result;
    }

    private abstract static class Send extends Request {
        private final Flight flight;

        /** The result, if the kernel took something: then nobody waits for the notification. */
        private volatile int taken;

        private volatile boolean ended;
        private boolean begun;
        private boolean over;
        private Path path = Path.UNKNOWN;

        Send(Flight flight) {
            this.flight = flight;
        }

        abstract void make(Submission submission);

        @Override
        final void fill(Submission submission) {
            make(submission);
            submission.reportUsage();
            begun = true;
        }

        @Override
        final boolean completed(Completion completion) {
            over = super.completed(completion);
            if (completion.notification()) {
                path = completion.copied() ? Path.COPIED : Path.ZERO_COPY;
            } else if (completion.result() > 0) {
                taken = completion.result();
                wake();
            }
            return over;
        }

        /** One that failed may still be notified of: its caller waits for that, and has the buffer back. */
        @Override
        final boolean answered() {
            return taken > 0 || ended;
        }

        @Override
        final void finished() {
            if (begun && !over) {
                flight.lost();
            } else if (taken > 0) {
                flight.landed(path);
            }
            ended = true;
            wake();
        }
    }
}
