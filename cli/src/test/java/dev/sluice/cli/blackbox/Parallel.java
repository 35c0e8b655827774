package dev.sluice.cli.blackbox;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** Does several things at once, each on a virtual thread. */
final class Parallel {
    private Parallel() {}

    /** Something that may throw. */
    interface Action {
        void run() throws Exception;
    }

    static <T> CompletableFuture<T> start(Callable<T> call) {
        CompletableFuture<T> future = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                future.complete(call.call());
            } catch (Throwable e) {
                future.completeExceptionally(e);
            }
        });
        return future;
    }

    /** Runs them all, and fails as soon as one fails. */
    static void run(List<Action> actions) throws Exception {
        List<CompletableFuture<Void>> futures = new ArrayList<>();
        for (Action action : actions) {
            futures.add(start(() -> {
                action.run();
                return null;
            }));
        }
        CompletableFuture<Void> all = CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new));
        futures.forEach(future -> future.exceptionally(e -> {
            all.completeExceptionally(e);
            return null;
        }));
        try {
            all.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Error error ? error : new AssertionError(e.getCause());
        }
    }

    static void run(Action... actions) throws Exception {
        run(List.of(actions));
    }
}
