package dev.sluice.contract;

import dev.sluice.net.StreamSocket;
import dev.sluice.testkit.Pair;
import dev.sluice.testkit.Pair.Kind;
import java.io.IOException;

/** A producer and a source, a sink and a consumer: two connected pairs of sockets, for a transfer in between. */
record Wire(Pair in, Pair out) implements AutoCloseable {

    /** Which kinds of sockets. */
    enum Plan {
        TCP_TCP(Kind.TCP, Kind.TCP),
        UNIX_TCP(Kind.UNIX, Kind.TCP),
        TCP_UNIX(Kind.TCP, Kind.UNIX),
        UNIX_UNIX(Kind.UNIX, Kind.UNIX),
        TCP6_TCP6(Kind.TCP6, Kind.TCP6),
        ABSTRACT_TCP(Kind.ABSTRACT, Kind.TCP);

        private final Kind in;
        private final Kind out;

        Plan(Kind in, Kind out) {
            this.in = in;
            this.out = out;
        }
    }

    static Wire open(Plan plan) throws IOException {
        Pair in = Pair.open(plan.in);
        try {
            return new Wire(in, Pair.open(plan.out));
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }

    /** Writes what the source reads. */
    StreamSocket producer() {
        return in.far();
    }

    StreamSocket source() {
        return in.near();
    }

    StreamSocket sink() {
        return out.near();
    }

    /** Reads what the sink was written. */
    StreamSocket consumer() {
        return out.far();
    }

    @Override
    public void close() {
        in.close();
        out.close();
    }
}
