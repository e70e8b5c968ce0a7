package dev.drey.flink.async.client;

import javax.net.ssl.SSLException;

/** What a person can do about a failure: the last sentence of its message. */
final class Advice {
    private static final String ELSEWHERE =
            "or set drey.async.on-error to side-output, so that such a record does not stop the job";

    private static final String REACH =
            "check that the sidecar runs (curl <drey.sidecar.url>/readyz) and that drey.sidecar.url is right as seen from"
                    + " the TaskManager; a longer outage needs a longer drey.async.retry-budget";

    private Advice() {}

    static String of(Failure failure) {
        switch (failure.code()) {
            case Failure.UNREACHABLE:
                if (isTls(failure.cause())) {
                    return "let the TaskManagers' JVM trust the certificate (javax.net.ssl.trustStore), and name the host"
                            + " in drey.sidecar.url as the certificate does";
                }
                return REACH;
            case Failure.ATTEMPT_TIMEOUT:
                return REACH;
            case Failure.BAD_ANSWER:
                return "check that drey.sidecar.url names a Drey sidecar, with nothing in between that changes answers";
            case Failure.ANSWER_TOO_LARGE:
                return "raise drey.async.max-answer-size, or return less from the function";
            case Failure.BAD_RESULT:
                return "make the result class match what the function returns (drey functions lists it)";
            case Failure.BAD_EVENT:
                return "correct event(...) or id(...) of the function's builder, " + ELSEWHERE;
            case Failure.FLINK_TIMEOUT:
                return "raise drey.async.timeout above drey.async.retry-budget, or leave it out to have it derived";
            case Failure.CLOSED:
                return "nothing: the task was stopped, the record is sent again when it is restored";
            case "unknown_function":
                return "list what the sidecar has with: drey functions";
            case "overloaded":
                return "lower drey.async.capacity, or raise evaluate.admission.max_in_flight of the sidecar";
            case "function_quarantined":
            case "function_panic":
                return "read the first panic's stack in <drey.sidecar.url>/v1/status, " + ELSEWHERE;
            case "deadline_exceeded":
                return "make the function faster or raise its deadline in the sidecar, below drey.async.attempt-timeout";
            case "id_reused":
                return "make id(...) different for different events, " + ELSEWHERE;
            case "body_too_large":
                return "send less with event(...), or raise the sidecar's limit of a request, "
                        + ELSEWHERE;
            case "unknown_session":
                return "nothing, if the sidecar has lost its disk or runs without state.folder: Flink restores the state from"
                        + " its checkpoint; if it comes again, let all requests of a subtask reach the same sidecar";
            case "fenced":
                return "nothing, if this is the end of an attempt that another has taken over; else look for two jobs that"
                        + " run under one job id";
            case "not_restored":
            case "conflict":
            case "wrong_key_group":
            case "stale":
                return "nothing, Flink restores the state from its checkpoint; if it comes again, report it with the log of"
                        + " the sidecar";
            case "late_mark":
            case "no_snapshot":
                return "nothing, the next checkpoint takes its place; if it comes again, look at drey_state_snapshots_missed_total"
                        + " and at the sidecar's log: the store may be too slow";
            case "restore_failed":
                return "start the job from another checkpoint (drey checkpoints list): the snapshot of this one cannot be read";
            case "restore_unavailable":
                return "check that the sidecar reaches its state.store";
            case "state_limit":
                return "raise state.limits of the sidecar, or keep less under one key, "
                        + ELSEWHERE;
            case "answers_full":
                return "take checkpoints more often, lower drey.async.capacity, or raise state.limits.answer_bytes of the"
                        + " sidecar";
            case "not_found":
                return "give the sidecar state: state.enabled and state.store (--state-enabled --state-store URL)";
            default:
                return forStatus(failure.status());
        }
    }

    private static boolean isTls(Throwable cause) {
        for (Throwable t = cause; t != null; t = t.getCause()) {
            if (t instanceof SSLException) {
                return true;
            }
        }
        return false;
    }

    private static String forStatus(int status) {
        if (status == 401 || status == 403) {
            return "let the TaskManagers reach the sidecar without credentials, or through a proxy that adds them";
        }
        if (status == 404) {
            return "check the path of drey.sidecar.url; /evaluate is added to it";
        }
        if (status >= 300 && status < 400) {
            return "set drey.sidecar.url to where the redirect leads; redirects are not followed";
        }
        if (status >= 500) {
            return "look into the log of the sidecar, or of what stands before it";
        }
        return "correct the record before it gets here, " + ELSEWHERE;
    }
}
