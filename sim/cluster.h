/*
 * The simulated machine of a scenario, written down for SimGrid: a platform file and a host file.
 *
 * Nodes are hosts node-0, node-1, …, each with a disk named "disk" and a full-duplex link into a
 * switch that never limits (topology star): so two nodes exchange at the links' bandwidth after the
 * network's latency, whatever others do. Ranks fill the nodes in order. Storage servers, where the
 * scenario has some, are hosts storage-0, storage-1, … in a zone of their own behind the same
 * switch, with a disk each; their links are at least as fast as their disks, so that a server
 * delivers what the scenario says. Costs are charged where work happens: sending to a server costs
 * network, its disk costs disk.
 *
 * SimGrid 3.32's C interface loads XML only (docs/source/XML_reference.rst: the Cluster zone).
 */
#ifndef RESHARD_SIM_CLUSTER_H
#define RESHARD_SIM_CLUSTER_H

#include "sim/scenario.h"

/* Names that the simulated store and the platform agree on. */
#define CLUSTER_NODE_NAME "node-"       /* and a number from 0 */
#define CLUSTER_STORAGE_NAME "storage-" /* and a number from 0 */
#define CLUSTER_DISK_NAME "disk"

/* Local. Write the platform. EINVAL when a node or a bandwidth is missing, EIO. */
RESHARD_MUST_CHECK enum reshard_status
cluster_write_platform(const struct scenario_cluster *cluster, const char *path,
                       struct reshard_error *error);

/* Local. Write the host file: line r is the node of rank r. EINVAL when they do not fit. */
RESHARD_MUST_CHECK enum reshard_status cluster_write_hosts(const struct scenario_cluster *cluster,
                                                           uint64_t ranks, const char *path,
                                                           struct reshard_error *error);

#endif
