package dev.sluice.internal.fd;

import java.lang.ref.Cleaner;
import java.nio.channels.Channel;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * Finds the descriptor behind one of the library's own channels. Each channel class registers how, so that descriptors
 * reach the transfers without showing in anybody's public methods.
 */
public final class Descriptors {
    private static final Map<Class<?>, Function<Channel, Descriptor>> KNOWN = new ConcurrentHashMap<>();

    private static final Cleaner CLEANER = Cleaner.create();

    private Descriptors() {}

    public static <C extends Channel> void register(Class<C> type, Function<C, Descriptor> accessor) {
        KNOWN.put(type, channel -> accessor.apply(type.cast(channel)));
    }

    /** Closes the descriptor once its channel is unreachable: a net under those who forget to. */
    public static void closeWith(Channel channel, Descriptor descriptor) {
        CLEANER.register(channel, descriptor::close);
    }

    /** The channel's descriptor, or null if it is not one of ours. */
    public static Descriptor of(Channel channel) {
        Function<Channel, Descriptor> accessor = KNOWN.get(channel.getClass());
        return accessor == null ? null : accessor.apply(channel);
    }
}
