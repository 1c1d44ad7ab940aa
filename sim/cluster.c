#include "sim/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What one zone of like hosts is made of. */
struct zone {
    const char *id;
    const char *host; /* names are this and a number */
    uint64_t count;
    uint64_t cores;
    double disk_read;
    double disk_write;
    double bandwidth;
    double latency; /* of one link; a path has two */
};

/* SimGrid reads numbers as C does; 17 digits give back the same double. */
static void print_host(FILE *out, const struct zone *zone, uint64_t i)
{
    fprintf(out, "      <host id=\"%s%" PRIu64 "\" speed=\"1Gf\" core=\"%" PRIu64 "\">", zone->host,
            i, zone->cores);
    fprintf(out,
            "<disk id=\"" CLUSTER_DISK_NAME
            "\" read_bw=\"%.17gBps\" write_bw=\"%.17gBps\"/></host>\n",
            zone->disk_read, zone->disk_write);
}

static void print_link(FILE *out, const struct zone *zone, uint64_t i)
{
    fprintf(out,
            "      <link id=\"%s%" PRIu64 "-link\" bandwidth=\"%.17gBps\" latency=\"%.17gs\" "
            "sharing_policy=\"SPLITDUPLEX\"/>\n",
            zone->host, i, zone->bandwidth, zone->latency);
}

static void print_attachment(FILE *out, const struct zone *zone, uint64_t i)
{
    fprintf(out,
            "      <host_link id=\"%s%" PRIu64 "\" up=\"%s%" PRIu64 "-link_UP\" down=\"%s%" PRIu64
            "-link_DOWN\"/>\n",
            zone->host, i, zone->host, i, zone->host, i);
}

/* The loader wants hosts, then links, then what joins them. */
static void print_zone(FILE *out, const struct zone *zone)
{
    fprintf(out, "    <zone id=\"%s\" routing=\"Cluster\">\n", zone->id);
    fprintf(out, "      <router id=\"%s-switch\"/>\n", zone->id);
    for (uint64_t i = 0; i < zone->count; i++)
        print_host(out, zone, i);
    for (uint64_t i = 0; i < zone->count; i++)
        print_link(out, zone, i);
    for (uint64_t i = 0; i < zone->count; i++)
        print_attachment(out, zone, i);
    fprintf(out, "    </zone>\n");
}

static struct zone zone_of_nodes(const struct scenario_cluster *cluster)
{
    const struct zone zone = {
        .id = "nodes",
        .host = CLUSTER_NODE_NAME,
        .count = cluster->nodes,
        .cores = cluster->ranks_per_node,
        .disk_read = cluster->disk_read,
        .disk_write = cluster->disk_write,
        .bandwidth = cluster->network_bandwidth,
        .latency = cluster->network_latency / 2,
    };
    return zone;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static struct zone zone_of_storage(const struct scenario_cluster *cluster)
{
    const struct zone zone = {
        .id = "storage",
        .host = CLUSTER_STORAGE_NAME,
        .count = cluster->storage_servers,
        .cores = 1,
        .disk_read = cluster->storage_read,
        .disk_write = cluster->storage_write,
        .bandwidth = larger(cluster->network_bandwidth,
                            larger(cluster->storage_read, cluster->storage_write)),
        .latency = cluster->network_latency / 2,
    };
    return zone;
}

static void print_platform(FILE *out, const struct scenario_cluster *cluster)
{
    const struct zone nodes = zone_of_nodes(cluster);
    const struct zone storage = zone_of_storage(cluster);
    fprintf(out, "<?xml version='1.0'?>\n"
                 "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                 "<platform version=\"4.1\">\n"
                 "  <zone id=\"cluster\" routing=\"Full\">\n");
    print_zone(out, &nodes);
    if (storage.count > 0) {
        print_zone(out, &storage);
        /* FATPIPE: each flow may have the whole bandwidth, so the switch limits nobody. */
        fprintf(out,
                "    <link id=\"switch\" bandwidth=\"%.17gBps\" latency=\"0s\" "
                "sharing_policy=\"FATPIPE\"/>\n"
                "    <zoneRoute src=\"nodes\" dst=\"storage\" gw_src=\"nodes-switch\" "
                "gw_dst=\"storage-switch\"><link_ctn id=\"switch\"/></zoneRoute>\n",
                larger(nodes.bandwidth, storage.bandwidth));
    }
    fprintf(out, "  </zone>\n</platform>\n");
}

static bool zone_is_complete(const struct zone *zone)
{
    return zone->count > 0 && zone->cores > 0 && zone->disk_read > 0 && zone->disk_write > 0 &&
           zone->bandwidth > 0 && zone->latency >= 0;
}

/* Close a file that was being written; everything that was refused on the way shows here. */
static enum reshard_status finish(FILE *file, const char *path, struct reshard_error *error)
{
    const bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return reshard_error_set(error, RESHARD_EIO, "%s: cannot be written: %s", path,
                                 strerror(errno));
    return RESHARD_OK;
}

static FILE *start(const char *path, struct reshard_error *error)
{
    FILE *file = fopen(path, "we");
    if (!file)
        (void)reshard_error_set(error, RESHARD_EIO, "%s: %s", path, strerror(errno));
    return file;
}

enum reshard_status cluster_write_platform(const struct scenario_cluster *cluster, const char *path,
                                           struct reshard_error *error)
{
    const struct zone nodes = zone_of_nodes(cluster);
    const struct zone storage = zone_of_storage(cluster);
    if (!zone_is_complete(&nodes))
        return reshard_error_set(
            error, RESHARD_EINVAL,
            "a cluster needs nodes, and bandwidths above 0 of network and disk");
    if (storage.count > 0 && !zone_is_complete(&storage))
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "storage servers need bandwidths above 0 to read and to write");
    FILE *file = start(path, error);
    if (!file)
        return RESHARD_EIO;
    print_platform(file, cluster);
    return finish(file, path, error);
}

enum reshard_status cluster_write_hosts(const struct scenario_cluster *cluster, uint64_t ranks,
                                        const char *path, struct reshard_error *error)
{
    const uint64_t per_node = cluster->ranks_per_node;
    if (per_node == 0 || (ranks + per_node - 1) / per_node > cluster->nodes)
        return reshard_error_set(error, RESHARD_EINVAL,
                                 "%" PRIu64 " ranks do not fit on %" PRIu64 " nodes of %" PRIu64
                                 " ranks",
                                 ranks, cluster->nodes, per_node);
    FILE *file = start(path, error);
    if (!file)
        return RESHARD_EIO;
    for (uint64_t rank = 0; rank < ranks; rank++)
        fprintf(file, CLUSTER_NODE_NAME "%" PRIu64 "\n", rank / per_node);
    return finish(file, path, error);
}
