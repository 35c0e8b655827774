package dev.sluice.internal.fd;

import java.lang.ref.Cleaner;
import java.nio.channels.Channel;
import java.nio.channels.WritableByteChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * Finds the descriptor behind one of the library's own channels. Each channel class registers how, so that descriptors
 * reach the transfers without showing in anybody's public methods.
 */
public final class Descriptors {
    private static final Map<Class<?>, Function<Channel, Descriptor>> SOURCES = new ConcurrentHashMap<>();
    private static final Map<Class<?>, Function<Channel, Descriptor>> SINKS = new ConcurrentHashMap<>();

    private static final Map<Class<?>, Function<Channel, List<WritableByteChannel>>> MIRRORS =
            new ConcurrentHashMap<>();

    private static final Cleaner CLEANER = Cleaner.create();

    private Descriptors() {}

    /** Tells how to get at the descriptor of a channel class. */
    public static <C extends Channel> void register(Class<C> type, Function<C, Descriptor> accessor) {
        register(type, accessor, accessor);
    }

    /** The same for a class that reads from one descriptor and writes to another. */
    public static <C extends Channel> void register(
            Class<C> type, Function<C, Descriptor> source, Function<C, Descriptor> sink) {
        SOURCES.put(type, channel -> source.apply(type.cast(channel)));
        SINKS.put(type, channel -> sink.apply(type.cast(channel)));
    }

    /** Tells which mirrors a channel class has: whatever is taken from its channels has to reach them, too. */
    public static <C extends Channel> void registerMirrors(
            Class<C> type, Function<C, List<WritableByteChannel>> accessor) {
        MIRRORS.put(type, channel -> accessor.apply(type.cast(channel)));
    }

    /** Closes the descriptor once its channel is unreachable: a net under those who forget to. */
    public static void closeWith(Channel channel, Descriptor descriptor) {
        CLEANER.register(channel, descriptor::close);
    }

    /** The descriptor that a channel reads from, or null if it is not one of ours. */
    public static Descriptor source(Channel channel) {
        return find(SOURCES, channel);
    }

    /** The descriptor that a channel writes to, or null if it is not one of ours. */
    public static Descriptor sink(Channel channel) {
        return find(SINKS, channel);
    }

    /** The mirrors that a source has of its own, for a reader that has claimed it. */
    public static List<WritableByteChannel> mirrors(Channel channel) {
        Function<Channel, List<WritableByteChannel>> accessor = MIRRORS.get(channel.getClass());
        return accessor == null ? List.of() : accessor.apply(channel);
    }

    private static Descriptor find(Map<Class<?>, Function<Channel, Descriptor>> known, Channel channel) {
        Function<Channel, Descriptor> accessor = known.get(channel.getClass());
        return accessor == null ? null : accessor.apply(channel);
    }
}
