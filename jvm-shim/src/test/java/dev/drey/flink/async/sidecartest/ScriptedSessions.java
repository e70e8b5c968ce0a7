package dev.drey.flink.async.sidecartest;

import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The sidecar's side of sessions, without state: every mark is durable at once. Sessions are called
 * S-1, S-2..., references {@code {"key":"S-1-7"}} by session and checkpoint.
 */
public final class ScriptedSessions implements ScriptedSidecar.Script {
    private final Function<Request, String> function;
    private final Map<String, Request> opened = new ConcurrentHashMap<>();
    private final BlockingQueue<Request> marks = new LinkedBlockingQueue<>();
    private final Queue<Request> all = new ConcurrentLinkedQueue<>();
    private final AtomicInteger count = new AtomicInteger();
    private volatile Function<Request, Answer> first = request -> null;

    /**
     * @param function the result of a call
     */
    public ScriptedSessions(Function<Request, String> function) {
        this.function = function;
    }

    /** What to answer in the place of this; null for nothing else. */
    public void first(Function<Request, Answer> first) {
        this.first = first;
    }

    @Override
    public Answer answer(Request request) {
        all.add(request);
        Answer answer = first.apply(request);
        if (answer != null) {
            return answer;
        }
        if (request.path().equals("/evaluate")) {
            return Answer.result(request, function.apply(request));
        }
        // /v1/state/sessions/NAME/marks/EPOCH
        String[] path = request.path().split("/");
        if (path.length == 4) {
            String name = "S-" + count.incrementAndGet();
            opened.put(name, request);
            return Answer.json(201, "{\"session\":\"" + name + "\"}");
        }
        if (request.method().equals("DELETE")) {
            return Answer.json(204, "");
        }
        if (path.length == 7) {
            return Answer.json(
                    200, "{\"reference\":{\"key\":\"" + path[4] + "-" + path[6] + "\"}}");
        }
        if (path[5].equals("marks")) {
            marks.add(request);
            return Answer.json(202, "{}");
        }
        return Answer.json(200, "{}");
    }

    /** The sessions, by name, as they were asked for. */
    public Map<String, Request> opened() {
        return opened;
    }

    /** Marks as they come. */
    public BlockingQueue<Request> marks() {
        return marks;
    }

    /** Everything that was asked, in order. */
    public Queue<Request> all() {
        return all;
    }

    /** The calls of functions in a session. */
    public List<Request> calls(String session) {
        return all.stream()
                .filter(r -> r.path().equals("/evaluate"))
                .filter(r -> r.body().at("/state/session").asText().equals(session))
                .collect(Collectors.toList());
    }
}
