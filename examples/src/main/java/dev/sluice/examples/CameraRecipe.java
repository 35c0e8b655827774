package dev.sluice.examples;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.sluice.Pipeline;
import dev.sluice.file.KernelFile;
import dev.sluice.io.Endpoint;
import dev.sluice.io.TransferResult;
import dev.sluice.net.StreamListener;
import dev.sluice.net.StreamSocket;
import java.io.IOException;
import java.nio.file.Path;

/** Forwards one stream from a camera to a client and records it on the way, without a byte entering the process. */
public final class CameraRecipe {
    private CameraRecipe() {}

    /** Arguments: where the camera connects to, where the client listens, the file. */
    public static void main(String[] arguments) throws IOException {
        try (StreamListener listener = StreamListener.listen(Endpoint.parse(arguments[0]))) {
            serve(listener, Endpoint.parse(arguments[1]), Path.of(arguments[2]));
        }
    }

    static TransferResult serve(StreamListener listener, Endpoint viewer, Path path) throws IOException {
        try (StreamSocket camera = listener.accept();
                StreamSocket client = StreamSocket.connect(viewer);
                KernelFile recording = KernelFile.open(path, CREATE, WRITE, TRUNCATE_EXISTING)) {

            TransferResult result = Pipeline.from(camera).mirror(recording).to(client);

            System.out.println(result.bytes() + " bytes by " + result.route() + ": " + result.reason());
            return result;
        }
    }
}
