"""What redrcp sends to a module that speaks RED RCP, in hex, one frame a line."""

from redrcp.rcp import rcp_commands
from redrcp.rcp.enums import ReaderInfoType

for frame in (
    rcp_commands.get_info(ReaderInfoType.MODEL),
    rcp_commands.get_current_rf_channel(),
    rcp_commands.get_query_parameters(),
    rcp_commands.sw_reset(),
):
    print(frame.hex())
