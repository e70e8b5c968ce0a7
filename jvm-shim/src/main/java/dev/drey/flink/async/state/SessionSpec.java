package dev.drey.flink.async.state;

import org.apache.flink.api.common.JobInfo;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/** Of which subtask a session is. Immutable. */
final class SessionSpec {
    final String job;
    final String operator;
    final int subtask;
    final int maxParallelism;
    final int firstKeyGroup;
    final int lastKeyGroup;

    /**
     * @param operator its uid
     */
    SessionSpec(JobInfo job, String operator, TaskInfo task) {
        this.job = job.getJobId().toHexString();
        this.operator = operator;
        this.subtask = task.getIndexOfThisSubtask();
        this.maxParallelism = task.getMaxNumberOfParallelSubtasks();
        KeyGroupRange range =
                KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(
                        maxParallelism, task.getNumberOfParallelSubtasks(), subtask);
        this.firstKeyGroup = range.getStartKeyGroup();
        this.lastKeyGroup = range.getEndKeyGroup();
    }

    boolean has(int keyGroup) {
        return firstKeyGroup <= keyGroup && keyGroup <= lastKeyGroup;
    }

    @Override
    public String toString() {
        return "state of Go operator "
                + operator
                + ", subtask "
                + subtask
                + ", key groups "
                + firstKeyGroup
                + " to "
                + lastKeyGroup;
    }
}
