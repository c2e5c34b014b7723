/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RabbitMQ engine: AMQP 0-9-1 over pipes (pipe.h), one channel on each connection.
 *
 * A request of a route with a key is to publish its message, mandatory, and ends with the broker's
 * confirm: an ack is success, a nack or a return (to no queue) is an error reply. A request of a
 * route with a queue is to get one message (basic.get) and ends with that message's last byte; it
 * is acknowledged then. An empty queue is an error reply, for nothing was served.
 *
 * A request of a route that consumes is published the same way, and delivered (basic.consume) from
 * a queue that its connection has made for itself alone; it ends with the confirm or the delivery,
 * whichever comes last. A delivery is told from others by its message-id. What is delivered as
 * having been delivered before, or twice, is an error reply; what was confirmed and not delivered
 * within the timeout is stalled, and says so; what others have published is counted.
 *
 * Design notes. A return carries no delivery tag, and need not be followed by the confirm of the
 * message that it is of: so every message has its tag as its message-id, by which a return is told
 * whose it is. One that comes back has a random number of its connection before it: bound to an
 * exchange, a queue gets what other connections publish, too, with the same tags.
 *
 * A queue for each connection, not one for all: a broker deals a queue's messages out to all its
 * consumers, and threads share nothing. It is named by us, so that its name is as long in every
 * request, and anew with each connection, since the broker may still hold the last one's. It is
 * exclusive and goes with the connection: nothing is delivered to another one again.
 *
 * Exchanges and other queues are asked for when the connection is opened, and never made. One that
 * is not there refuses the session, as wrong credentials do, in the broker's words.
 *
 * When the broker closes the channel it is told by the request that waited longest; the whole
 * connection is replaced.
 */
#ifndef LOAD_RABBIT_H
#define LOAD_RABBIT_H

#include "driver.h"

extern const struct load_driver load_amqp_driver;

#endif
