package dev.sluice.testkit;

import java.util.concurrent.CompletableFuture;

/** A call on a thread of its own that is going to wait: the moment when it does is the one to close, cut or feed it. */
public final class Parked<T> {
    private static final int SETTLED = 5;

    private final CompletableFuture<T> future = new CompletableFuture<>();
    private final Thread thread;

    private Parked(Thread.Builder builder, Bytes.Call<T> call) {
        thread = builder.unstarted(() -> {
            try {
                future.complete(call.make());
            } catch (Throwable t) {
                future.completeExceptionally(t);
            }
        });
    }

    /** Runs it on a virtual thread, and returns once it waits. */
    public static <T> Parked<T> virtual(Bytes.Call<T> call) throws InterruptedException {
        return new Parked<>(Thread.ofVirtual(), call).start();
    }

    /** Runs it on a platform thread, and returns once it waits. */
    public static <T> Parked<T> platform(Bytes.Call<T> call) throws InterruptedException {
        return new Parked<>(Thread.ofPlatform().daemon(), call).start();
    }

    private Parked<T> start() throws InterruptedException {
        thread.start();
        int seen = 0;
        while (seen < SETTLED && !future.isDone()) {
            boolean waits = switch (thread.getState()) {
                case WAITING, TIMED_WAITING -> true;
                default -> false;
            };
            seen = waits ? seen + 1 : 0;
            Thread.sleep(1);
        }
        if (future.isDone()) {
            throw new AssertionError("did not wait, but ended with " + outcome());
        }
        return this;
    }

    private String outcome() {
        return future.isCompletedExceptionally()
                ? future.exceptionNow().toString()
                : String.valueOf(future.resultNow());
    }

    public Thread thread() {
        return thread;
    }

    public boolean done() {
        return future.isDone();
    }

    /** What the call returned; bounded by the time-out of the test. */
    public T get() throws Exception {
        return future.get();
    }

    /** What the call threw. */
    public Throwable failure() throws InterruptedException {
        thread.join();
        if (!future.isCompletedExceptionally()) {
            throw new AssertionError("did not fail, but ended with " + outcome());
        }
        return future.exceptionNow();
    }
}
