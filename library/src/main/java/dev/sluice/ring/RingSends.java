package dev.sluice.ring;

import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Message;
import dev.sluice.internal.linux.Sockets;
import dev.sluice.io.SluiceException;
import dev.sluice.send.SendReceipt.Path;
import dev.sluice.send.ZeroCopyCalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * SEND_ZC and SENDMSG_ZC on a ring of their own, which whoever sends enters himself. That is allowed here, as the kernel
 * never keeps such a request: it does not wait for room, so it has its result when the call returns, and the notification
 * that follows outlives the thread. A hand-over to the thread of the shared ring and back would take ten times as long as
 * the send.
 *
 * <p>Whoever sends next also takes in the notifications; while nobody does, they wake the thread of the shared ring.
 */
final class RingSends implements ZeroCopyCalls, RingThread.Guest {
    /** A socket without room is waited for elsewhere, with the sender's patience; see {@link Sockets#send}. */
    private static final int AT_ONCE = Sockets.MSG_DONTWAIT | Sockets.MSG_NOSIGNAL;

    /** Entries go to the kernel one by one. */
    private static final int ENTRIES = 8;

    /** Of each send on its way there is one. More than fit are kept by the kernel, which takes longer. */
    private static final int NOTIFICATIONS = 1024;

    /** How often the kernel is offered an entry that it does not take. */
    private static final int OFFERS = 3;

    private final SharedRing shared;
    private final ReentrantLock lock = new ReentrantLock();
    private final Slots slots = new Slots();
    private final Places places = new Places(FixedBuffers.SIZE);
    private final Ring.Handler handler = this::completed;

    /** Opened when first asked for; null if it can't be, or is not yet, or was closed. */
    private Ring ring;

    private boolean asked;
    private String reason;

    /** Those that ended while the lock was held, the last one first: told when it no longer is. */
    private Send ended;

    RingSends(SharedRing shared) {
        this.shared = shared;
    }

    @Override
    public String unavailable() {
        if (shared.reason() != null) {
            return shared.reason();
        }
        lock.lock();
        try {
            if (!asked) {
                asked = true;
                reason = open();
            }
            return reason;
        } finally {
            lock.unlock();
        }
    }

    /** Why not, or null. */
    private String open() {
        Ring opened = null;
        try {
            opened = new RingSetup()
                    .entries(ENTRIES)
                    .completions(NOTIFICATIONS)
                    .locked()
                    .open();
            if (!opened.supports(Operation.SENDMSG_ZC)) {
                return "this kernel's rings have no zero-copy sends (SENDMSG_ZC, Linux 6.1)";
            }
            if (!shared.thread().attend(opened, this)) {
                return "the shared ring is closed";
            }
            ring = opened;
            FixedBuffers.provide(opened, places);
            return null;
        } catch (IOException e) {
            return e.getMessage();
        } finally {
            if (ring == null && opened != null) {
                opened.close();
            }
        }
    }

    @Override
    public int register(MemorySegment memory) {
        int index = places.take();
        if (index != Places.NONE && !put(index, memory)) {
            places.give(index);
            index = Places.NONE;
        }
        return index == Places.NONE ? UNREGISTERED : index;
    }

    @Override
    public void unregister(int memory) {
        put(memory, MemorySegment.NULL);
        places.give(memory);
    }

    /** Fails over the limit of locked memory, most likely. */
    private boolean put(int index, MemorySegment memory) {
        lock.lock();
        try {
            if (ring == null) {
                return false;
            }
            ring.registry().updateBuffers(index, memory);
            return true;
        } catch (IOException e) {
            return false;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int send(int fd, long address, int length, int flags, int memory, Flight flight) {
        return perform(new Send(flight) {
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
    public int send(int fd, Message message, int flags, Flight flight) {
        return perform(new Send(flight) {
            @Override
            void make(Submission submission) {
                submission.raw(Operation.SENDMSG_ZC.ordinal(), fd, 0, message.address(), 1, flags | AT_ONCE);
            }
        });
    }

    private int perform(Send send) {
        int refusal;
        lock.lock();
        try {
            // Of a closed ring, and one that fails, a send comes back as cancelled.
            refusal = ring == null || shared.thread().closed() ? -Errno.ECANCELED : enter(send);
        } finally {
            unlock();
        }
        return refusal < 0 ? refusal : send.await();
    }

    /** Holding the lock; 0, or −errno if the kernel did not take it. */
    private int enter(Send send) {
        Submission entry = ring.next();
        send.fill(entry);
        entry.id(slots.put(send));
        int refusal = -Errno.ENOMEM;
        ring.ringing(false);
        try {
            for (int i = 0; i < OFFERS && ring.queued() > 0; i++) {
                ring.submit();
                ring.reap(handler);
            }
            while (ring.queued() == 0 && !send.answered) {
                ring.submitAndWait(1);
                ring.reap(handler);
            }
        } catch (IOException e) {
            refusal = e instanceof SluiceException s && s.errno() == Errno.ENOMEM ? -Errno.ENOMEM : -Errno.ECANCELED;
        } finally {
            ring.ringing(true);
        }
        boolean refused = ring.queued() > 0;
        if (refused) {
            ring.takeBack();
            slots.remove(send);
        }
        // Refused or not: notifications that came meanwhile rang nobody.
        takeIn();
        return refused ? refusal : 0;
    }

    private void takeIn() {
        try {
            ring.reap(handler);
        } catch (IOException e) {
            // It failed to fetch what had no room: whoever looks next tries again.
        }
    }

    private void completed(Completion completion) {
        Send send = (Send) slots.get(completion.id());
        if (send != null && send.completed(completion)) {
            slots.remove(send);
            send.after = ended;
            ended = send;
        }
    }

    /** Those who are told may do anything, even send. */
    private void unlock() {
        Send told = ended;
        ended = null;
        lock.unlock();
        for (; told != null; told = told.after) {
            told.finish();
        }
    }

    @Override
    public void look() {
        lock.lock();
        try {
            takeIn();
        } finally {
            unlock();
        }
    }

    @Override
    public boolean busy() {
        lock.lock();
        try {
            return slots.live() > 0;
        } finally {
            lock.unlock();
        }
    }

    /** What is still on its way, if the shared ring has failed, is never heard of again. */
    @Override
    public void end() {
        Request[] lost;
        Ring closing;
        lock.lock();
        try {
            lost = slots.drain();
            closing = ring;
            ring = null;
        } finally {
            unlock();
        }
        for (Request send : lost) {
            send.finish();
        }
        closing.close();
    }

    private abstract static class Send extends Request {
        private final Flight flight;
        private Send after;
        private boolean answered;
        private boolean over;
        private volatile boolean told;
        private Path path = Path.UNKNOWN;

        Send(Flight flight) {
            this.flight = flight;
        }

        abstract void make(Submission submission);

        @Override
        final void fill(Submission submission) {
            make(submission);
            submission.reportUsage();
        }

        @Override
        final boolean completed(Completion completion) {
            over = super.completed(completion);
            if (completion.notification()) {
                path = completion.copied() ? Path.COPIED : Path.ZERO_COPY;
            } else {
                answered = true;
            }
            return over;
        }

        /** The result; of one that failed only when the kernel has let go of the buffer, or will never say so. */
        private int await() {
            int result = result();
            boolean interrupted = false;
            while (result <= 0 && !told) {
                LockSupport.park(this);
                interrupted |= Thread.interrupted();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return result;
        }

        @Override
        final void finished() {
            if (!over) {
                flight.lost();
            } else if (result() > 0) {
                flight.landed(path);
            }
            told = true;
            if (result() <= 0) {
                wake();
            }
        }
    }
}
