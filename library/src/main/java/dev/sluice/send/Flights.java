package dev.sluice.send;

import dev.sluice.internal.fd.Descriptor;
import dev.sluice.internal.linux.Errno;
import dev.sluice.internal.linux.Message;
import java.util.concurrent.atomic.AtomicInteger;

/** Zero-copy calls on one socket that somebody else makes, a ring, and tells of afterwards. */
final class Flights {
    private final ZeroCopyCalls calls;
    private final Descriptor descriptor;
    private final Backoff backoff;
    private final Message message = new Message();
    private final AtomicInteger out = new AtomicInteger();
    private final AtomicInteger lost = new AtomicInteger();

    Flights(ZeroCopyCalls calls, Descriptor descriptor, Backoff backoff) {
        this.calls = calls;
        this.descriptor = descriptor;
        this.backoff = backoff;
    }

    /** One call: the bytes taken, or −errno. One at a time. */
    int send(SendReceipt receipt, long address, int length, int stamps, int flags) {
        Flight flight = new Flight(receipt);
        receipt.hold();
        out.incrementAndGet();
        int result = 0;
        try {
            if (stamps == 0) {
                int memory = receipt.lease().pool().registeredWith(calls);
                result = calls.send(descriptor.fd(), address, length, flags, memory, flight);
            } else {
                message.stamps(stamps).of(address, length);
                result = calls.send(descriptor.fd(), message, flags, flight);
            }
        } finally {
            if (result <= 0 && !flight.lost) {
                out.decrementAndGet();
                receipt.unhold();
            }
        }
        return result;
    }

    /** Why the errno says that this will never do, or null. A call that copies tells if it is our fault. */
    static String impossible(int errno) {
        return switch (errno) {
            case Errno.EOPNOTSUPP, Errno.EINVAL -> "the socket has no zero copy: SEND_ZC: " + Errno.name(errno);
            case Errno.ECANCELED -> "the ring that made the zero-copy calls is closed";
            default -> null;
        };
    }

    /** How many calls are out. */
    int out() {
        return out.get();
    }

    /** How many of them nobody will ever tell of. */
    int lost() {
        return lost.get();
    }

    /** One call, and its hold of the receipt. */
    private final class Flight implements ZeroCopyCalls.Flight {
        private final SendReceipt receipt;
        private volatile boolean lost;

        Flight(SendReceipt receipt) {
            this.receipt = receipt;
        }

        @Override
        public void landed(SendReceipt.Path path) {
            if (path != SendReceipt.Path.UNKNOWN) {
                backoff.told(path == SendReceipt.Path.COPIED);
            }
            out.decrementAndGet();
            receipt.land(path, false);
        }

        @Override
        public void lost() {
            lost = true;
            Flights.this.lost.incrementAndGet();
            out.decrementAndGet();
            receipt.land(SendReceipt.Path.UNKNOWN, true);
        }
    }
}
