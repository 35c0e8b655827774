package dev.sluice.ring;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Many add, one takes: Dmitry Vyukov's intrusive MPSC queue. The request that was taken last stays as the stub, so nothing
 * is allocated.
 */
final class RequestQueue {
    private static final VarHandle LAST;

    static {
        try {
            LAST = MethodHandles.lookup().findVarHandle(RequestQueue.class, "last", Request.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private Request stub = new Request() {
        @Override
        void fill(Submission submission) {
            throw new AssertionError("the stub of the queue");
        }
    };

    @SuppressWarnings("unused")
    private volatile Request last = stub;

    void add(Request request) {
        Request before = (Request) LAST.getAndSet(this, request);
        before.next = request;
    }

    /** The next request; null if there is none, or if it is just being linked. */
    Request poll() {
        Request next = stub.next;
        if (next != null) {
            stub = next;
        }
        return next;
    }

    boolean isEmpty() {
        return stub == last;
    }
}
