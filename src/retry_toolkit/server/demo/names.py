"""Names that people of two languages give to tasks, and some that nobody should give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

OWNERS = {
    "sales_report": ("王芳", "李娜", "刘洋", "Maria Keller", "João Pinto"),
    "archive_check": ("陈静", "赵磊", "Aoife Byrne", "Jonas Weber"),
    "price_feed": ("张伟", "周婷", "Priya Natarajan", "Tomás Silva"),
    "mesh_sim": ("孙浩", "吴敏", "Jonas Weber", "נועה לוי"),
}
PROJECTS = {
    "sales_report": ("国内销售", "sales-europe"),
    "archive_check": ("财务归档", "finance-archive"),
    "price_feed": ("market-data", "market-data"),
    "mesh_sim": ("R&D <热仿真>", "thermal-lab"),
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
    "italia": "Italia",
}
SUBJECTS = (
    ("发票 2026 Q3", "采购合同", "报销单", "海关单据"),
    ("invoices Q3", "contracts", "delivery notes", "payroll"),
)
EXCHANGES = {"XSHG": "上证", "XSHE": "深证", "XHKG": "港股", "XETR": "Xetra", "XLIS": "Lisbon", "XAMS": "Amsterdam"}
PARTS = (("散热片", "电池冷板", "PCB 热通孔"), ("Heat sink HS", "Battery plate BP", "Inverter base IB"))

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


def is_chinese(name: str) -> bool:
    """Whether a name begins with a Chinese character."""
    return "一" <= name[0] <= "鿿"


def title(pipeline: str, owner: str, number: int, params: Mapping[str, object], day: date) -> str:
    """What somebody calls a task of a pipeline, in their language."""
    chinese = is_chinese(owner)
    if pipeline == "sales_report":
        region = REGION_NAMES[str(params["region"])]
        return f"{region}日报 {day}" if is_chinese(region) else f"{region} daily sales {day}"
    if pipeline == "price_feed":
        exchange = EXCHANGES[str(params["exchange"])]
        return f"{exchange}收盘行情 {day}" if is_chinese(exchange) else f"Closing prices {exchange} {day}"
    if pipeline == "archive_check":
        subjects = SUBJECTS[not chinese]
        subject = subjects[number % len(subjects)]
        return f"归档校验 – {subject} 第 {number} 批" if chinese else f"Archive check – {subject} #{number}"
    parts = PARTS[not chinese]
    part = f"{parts[number % len(parts)]}-{number:03}"
    steady = params["solver_type"] == "steady"
    return (
        f"{part} {'稳态' if steady else '瞬态'}" if chinese else f"{part} {'steady state' if steady else 'transient'}"
    )
