/*
 * What Ostiary uses of DPDK. bindgen reads this file: functions are called as they are, static inline ones through
 * wrappers that build.rs has bindgen write. What Rust cannot see (macros, thread-locals, cpu_set_t) is made visible here.
 */
#ifndef OSTIARY_DPDK_WRAPPER_H
#define OSTIARY_DPDK_WRAPPER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* cpu_set_t */
#endif
#include <errno.h>
#include <sched.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_version.h>

/* Masks that rte_ethdev.h builds from RTE_BIT64, which bindgen does not evaluate. */
static const uint64_t OSTIARY_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t OSTIARY_RSS_TCP = RTE_ETH_RSS_TCP;
static const uint64_t OSTIARY_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint64_t OSTIARY_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t OSTIARY_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t OSTIARY_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

/* The error number of the last call of this thread: a macro over a thread-local. */
static inline int ostiary_errno(void)
{
	return rte_errno;
}

/* The CPUs that the calling thread may run on: one byte a CPU, 0 or 1. Returns 0, or a positive error number. */
static inline int ostiary_affinity(uint8_t *allowed, unsigned int cpus)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return errno;
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		allowed[cpu] = cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set);
	return 0;
}

/* Lets the calling thread run on the CPUs marked in `allowed`, only; 0, or a positive error number. */
static inline int ostiary_set_affinity(const uint8_t *allowed, unsigned int cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int cpu = 0; cpu < cpus && cpu < CPU_SETSIZE; cpu++)
		if (allowed[cpu])
			CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : errno;
}

#endif
