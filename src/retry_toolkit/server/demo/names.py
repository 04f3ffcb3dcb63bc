"""Names that people of two languages give to tasks, and some that nobody should give."""

from __future__ import annotations

from datetime import date

OWNERS = {
    "sales_report": ("王芳", "李娜", "刘洋", "Maria Keller", "João Pinto"),
    "archive_check": ("陈静", "赵磊", "Aoife Byrne", "Jonas Weber"),
    "price_feed": ("张伟", "周婷", "Priya Natarajan", "Tomás Silva"),
    "mesh_sim": ("孙浩", "吴敏", "Jonas Weber", "נועה לוי"),
}
PROJECTS = {
    "sales_report": ("sales", "华东销售"),
    "archive_check": ("finance-archive", "财务归档"),
    "price_feed": ("market-data",),
    "mesh_sim": ("thermal-lab", "R&D <热仿真>"),
}
REGION_NAMES = {
    "east-china": "华东区",
    "north-china": "华北区",
    "south-china": "华南区",
    "west-china": "西南区",
    "dach": "DACH",
    "benelux": "Benelux",
    "nordics": "Nordics",
    "iberia": "Iberia",
}
SUBJECTS = ("invoices Q3", "发票 2026 Q3", "contracts", "采购合同", "delivery notes", "报销单", "payroll", "海关单据")
EXCHANGES = {"XSHG": "上证", "XSHE": "深证", "XHKG": "港股", "XETR": "Xetra", "XLIS": "Lisbon", "XAMS": "Amsterdam"}
PARTS = ("Heat sink HS", "散热片", "Battery plate BP", "电池冷板", "Inverter base IB", "PCB 热通孔")

HOSTILE_TITLES = {
    "malformed_row-7": '<script>alert(1)</script> & "quotes"',
    "missing_column-6": '=HYPERLINK("http://x.invalid","open")',
    "reference_rows-7": "Quarterly sales of every region, shop and product line, as asked for by the board " * 4,
    "exit_code-5": "🚚 דוח ארכיון 2026 \u202eخفي\u202c 🧪",
    "rate_limit-10": "'; DROP TABLE tasks; -- %s {0} ../../etc/passwd",
    "memory_limit-4": "<img src=x onerror=alert(2)>散热片\u200b HS-9\tрев. Б",
    "sales_report-7": "@SUM(1+1)*cmd|' /C calc'!A0",
}
HOSTILE_OWNERS = {"malformed_row-7": "<b onmouseover=alert(3)>王芳</b>", "exit_code-5": "+1-800-FORMULA"}


def title(pipeline: str, number: int, params: dict[str, object], day: date) -> str:
    """What a task of a pipeline is called, in one language or the other."""
    chinese = number % 2 == 0
    if pipeline == "sales_report":
        region = REGION_NAMES[str(params["region"])]
        return f"{region}日报 {day}" if region.endswith("区") else f"{region} daily sales {day}"
    if pipeline == "archive_check":
        subject = SUBJECTS[number % len(SUBJECTS)]
        return (
            f"归档校验 – {subject} 第 {number} 批" if not subject.isascii() else f"Archive check – {subject} #{number}"
        )
    if pipeline == "price_feed":
        exchange = EXCHANGES[str(params["exchange"])]
        return f"{exchange}收盘行情 {day}" if not exchange.isascii() else f"Closing prices {exchange} {day}"
    part = PARTS[number % len(PARTS)]
    return f"{part}-{number:02} {'瞬态' if chinese else 'steady state'}"
