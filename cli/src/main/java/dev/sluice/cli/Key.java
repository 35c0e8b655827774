package dev.sluice.cli;

import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * A setting: a key of the file, and an option of the command line with the same name.
 *
 * @param <D> what the setting is put into
 * @param name as it is written, without hyphens before it
 * @param option whether the command line has it, too
 * @param meaning for the usage message
 * @param kind how it is written
 * @param put where it goes; may throw an IllegalArgumentException in one line
 */
record Key<D>(String name, boolean option, String meaning, Kind<?> kind, BiConsumer<D, Object> put) {

    /** A setting of the file and of the command line. */
    static <D, T> Key<D> of(String name, Kind<T> kind, String meaning, BiConsumer<D, T> put) {
        return new Key<>(name, true, meaning, kind, erase(put));
    }

    /** One that the command line has not, or has in another form. */
    static <D, T> Key<D> inFile(String name, Kind<T> kind, BiConsumer<D, T> put) {
        return new Key<>(name, false, "", kind, erase(put));
    }

    /** The same setting of something that has a draft of this kind in it. */
    <E> Key<E> within(Function<E, D> part) {
        return new Key<>(name, option, meaning, kind, (whole, value) -> put.accept(part.apply(whole), value));
    }

    /** Only what the kind has read is ever put. */
    @SuppressWarnings("unchecked")
    private static <D, T> BiConsumer<D, Object> erase(BiConsumer<D, T> put) {
        return (draft, value) -> put.accept(draft, (T) value);
    }

    static List<String> names(List<? extends Key<?>> keys) {
        return keys.stream().map(Key::name).toList();
    }
}
