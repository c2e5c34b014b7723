/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCENARIOS_OPERATOR_SOCKET_H
#define SCENARIOS_OPERATOR_SOCKET_H

#include <sys/un.h>

#include "base/error.h"

/* The address of the socket in that folder, however long the folder's name is: through *folder,
 * a descriptor to be kept open until the address was used. */
bool operator_address(const char *run_dir, int *folder, struct sockaddr_un *out,
                      struct base_error *err);

#endif
