package dev.sluice.relay;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.net.spi.InetAddressResolver;
import java.net.spi.InetAddressResolverProvider;
import java.security.Security;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/** The names that end in {@code .names.test}, for this JVM; a test says what each stands for. */
public final class Names extends InetAddressResolverProvider {
    private static final Map<String, Name> NAMES = new ConcurrentHashMap<>();

    /** What a name stands for, asked each time; may block, and may fail. */
    interface Answer {
        List<InetAddress> get() throws UnknownHostException, InterruptedException;
    }

    /** A name of the test's own. */
    static final class Name {
        final String host;
        final AtomicInteger asked = new AtomicInteger();
        volatile Answer answer;

        private Name(String host) {
            this.host = host;
        }
    }

    static Name name(Answer answer) {
        Name name = new Name("host" + NAMES.size() + ".names.test");
        name.answer = answer;
        NAMES.put(name.host, name);
        return name;
    }

    static Answer addresses(String... literals) {
        List<InetAddress> addresses =
                Stream.of(literals).map(InetAddress::ofLiteral).toList();
        return () -> addresses;
    }

    static Answer unknown() {
        return () -> {
            throw new UnknownHostException("not known at the moment");
        };
    }

    @Override
    public InetAddressResolver get(Configuration configuration) {
        // Read when the first answer comes: the JDK must not keep them, as they change.
        Security.setProperty("networkaddress.cache.ttl", "0");
        Security.setProperty("networkaddress.cache.negative.ttl", "0");
        InetAddressResolver builtin = configuration.builtinResolver();
        return new InetAddressResolver() {
            @Override
            public Stream<InetAddress> lookupByName(String host, LookupPolicy policy) throws UnknownHostException {
                Name name = NAMES.get(host);
                if (name == null) {
                    return builtin.lookupByName(host, policy);
                }
                name.asked.incrementAndGet();
                try {
                    return name.answer.get().stream();
                } catch (InterruptedException e) {
                    throw new UnknownHostException(host);
                }
            }

            @Override
            public String lookupByAddress(byte[] address) throws UnknownHostException {
                return builtin.lookupByAddress(address);
            }
        };
    }

    @Override
    public String name() {
        return "names of the test";
    }
}
